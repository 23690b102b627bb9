"""The condition language: what it says, and what it refuses."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from queue_server.core.policy import Opinion, Standing
from queue_server.core.policy.conditions import FIELDS, parse_condition
from queue_server.core.policy.facts import Facts
from queue_server.errors import PolicyError
from tests.core.policy.policies import REJECTED, candidate, said

FACTS = {
    "model_version": "v7",
    "tags": ["night", "rain"],
    "labels": ["pill"],
    "count": 3,
    "confidence": 0.5,
    "metadata": {"site": "north", "lot": 7, "is_test": True, "deep": {"key": "x"}, "list": [1, 2], "it's": "x"},
    "quality": {"brightness": 40.0},
}


def holds(text: str, facts: object = FACTS) -> bool:
    return parse_condition("where", text).holds(facts)


@pytest.mark.parametrize(
    "text",
    [
        "model_version == 'v7'",
        'model_version == "v7"',
        "model_version != 'v8'",
        "model_version in ['v6', 'v7']",
        "model_version not in ['v8']",
        "model_version not in []",
        "tags has 'night'",
        "'night' in tags",
        "'fog' not in tags",
        "count >= 3 and count <= 3 and count > 2 and count < 4",
        "confidence == 5e-1",
        "3 == count",
        "metadata.lot == 7",
        "metadata.lot > -1e3",
        "metadata.is_test",
        "metadata.is_test == true",
        "metadata.deep.key == 'x'",
        "metadata.list has 2",
        "metadata.none_of_ours == none",
        "quality.brightness < 50",
        "not count > 3",
        "not not count == 3",
        "false or true",
        "(count == 1 or count == 3) and tags has 'rain'",
        "count == 3 or count == 1 and count == 2",
    ],
)
def test_condition_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "metadata.absent == 'north'",
        "metadata.absent < 5",
        "metadata.absent >= 5",
        "metadata.site < 5",
        "metadata.is_test > 0",
        "metadata.is_test == 1",
        "metadata.lot",
        "metadata.site has 'n'",
        "metadata.absent has 1",
        "metadata.site.deeper == 'x'",
        "stream == 'camera'",
        "trust > 0",
        "'Night' in tags",
        "1 in []",
        "true and false",
    ],
)
def test_condition_on_what_is_absent_or_of_another_kind_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got nothing"),
        ("  ", "got nothing"),
        ("count", "a comparison"),
        ("count ==", "got the end"),
        ("count == 3 count == 4", "`and` or `or`"),
        ("(count == 3", "a closing parenthesis"),
        ("count = 3", "at character 6"),
        ("'open", "at character 1"),
        ("cuont == 3", "must use the fields model_version"),
        ("metadata == 3", "must use the fields"),
        ("count == 'three'", "one kind"),
        ("tags == 'night'", "`has` or `in`"),
        ("model_version < 3", "must order numbers"),
        ("count in 3", "a list"),
        ("tags has ['a'", "a closing bracket"),
        ("count in [1 2]", "a comma"),
        ("count in [count]", "a number, a text in quotes"),
        ("count in [[1]]", "a number, a text in quotes"),
        ("__import__('os')", "must use the fields"),
        ("and count == 3", "a field"),
    ],
)
def test_condition_that_makes_no_sense_is_refused_and_says_where(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_condition("rules.0.where", text)
    assert caught.value.field == "rules.0.where"
    assert message in caught.value.message


@pytest.mark.parametrize("opening", ["not ", "(", "[", "[1, "])
def test_nesting_has_a_bound(opening: str) -> None:
    with pytest.raises(PolicyError):
        parse_condition("where", opening * 10_000 + "true")


def test_nesting_within_the_bound_is_read() -> None:
    assert holds("(" * 40 + "true" + ")" * 40)


@given(st.text())
@example("[" * 3000)
@example("²")
@example("1e999")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_condition("where", text).holds(FACTS)
    except PolicyError as error:
        assert error.field == "where"


WORDS = ["and", "or", "not", "in", "has", "(", ")", "[", "]", ",", "==", "<", "3", "'a'", "true", "none", *FIELDS]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_words_of_the_language_are_read_or_refused(text: str) -> None:
    try:
        assert parse_condition("where", text).holds(FACTS) in (True, False)
    except PolicyError as error:
        assert "must" in error.message


def test_two_readings_of_one_text_are_equal() -> None:
    assert parse_condition("a", "count == 3") == parse_condition("b", "count == 3")


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("verdict == none", {}),
        ("verdict == 'rejected'", {"opinion": REJECTED}),
        ("trust > 0.7", {"standings": {"anna": Standing(right=8), "bert": Standing(wrong=9)}}),
        ("trust == none", {"opinion": Opinion()}),
        ("labels has 'pill' and count == 1 and confidence == 0.9", {}),
        ("count == 0 and confidence == none and 'pill' not in labels", {"prediction": said()}),
        ("model_version == none and count == none and labels has 'x' or true", {"prediction": None}),
        ("stream == 'c' and subject == 's' and tags has 't'", {"stream": "c", "subject": "s", "tags": ["t"]}),
    ],
)
def test_facts_of_a_sample_are_what_conditions_look_at(text: str, change: dict[str, object]) -> None:
    facts = Facts(candidate(**change))
    assert parse_condition("where", text).holds(facts)
    assert len(facts) == len(list(facts))
