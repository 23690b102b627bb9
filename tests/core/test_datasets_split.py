from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_server.core.datasets import LabelSource, Split, WhyLeftOut, assign, divide, group_key
from queue_server.errors import ExportError
from tests.core.datasets_items import make_audit, make_item

TEST, TRAIN, VALIDATION = Split.TEST, Split.TRAIN, Split.VALIDATION


def divided(*items, **frozen):
    """Divide with groups frozen by the name of their stream."""
    return divide(items, frozen={f"stream:{name}": split for name, split in frozen.items()}, salt="salt")


def splits_of(division):
    return {example.item.sample_id: example.split for example in division.examples}


@pytest.mark.parametrize(
    ("subject", "stream", "group"),
    [
        (None, None, "sample:a"),
        (None, "door", "stream:door"),
        ("eve", None, "subject:eve"),
        ("eve", "door", "subject:eve"),
        ("", "door", "subject:"),
    ],
)
def test_group_is_subject_else_stream_else_sample(subject, stream, group):
    assert group_key(sample_id="a", subject=subject, stream=stream) == group


def test_nothing_divides_into_nothing():
    division = divided()
    assert (division.examples, division.left_out, division.frozen) == ((), {}, {})


def test_shares_hold_over_many_groups():
    splits = assign({f"stream:{number}": True for number in range(4000)}, frozen={}, salt="salt")
    counts = [list(splits.values()).count(split) / 4000 for split in (TEST, VALIDATION, TRAIN)]
    assert counts == pytest.approx([0.2, 0.1, 0.7], abs=0.02)


def test_another_salt_gives_another_split():
    groups = {f"sample:{number}": True for number in range(100)}
    assert assign(groups, frozen={}, salt="one") != assign(groups, frozen={}, salt="two")


@pytest.mark.parametrize("shares", [(1.0, 0.0), (0.6, 0.4), (-0.1, 0.1), (0.1, -0.1), (float("nan"), 0.1)])
def test_shares_that_leave_nothing_to_train_are_refused(shares):
    with pytest.raises(ExportError, match="must be >= 0 and add up to < 1"):
        assign({}, frozen={}, salt="salt", test_share=shares[0], validation_share=shares[1])


def test_single_sample_without_an_audit_draw_never_tests():
    splits = assign({f"sample:{number}": False for number in range(500)}, frozen={}, salt="salt", test_share=0.8)
    assert len(splits) == 500
    assert TEST not in splits.values()


def test_whether_a_group_tests_does_not_hang_on_what_came_first():
    names = [f"subject:{number}" for number in range(200)]
    both = assign(dict.fromkeys(names, True), frozen={}, salt="salt")
    early = assign(dict.fromkeys(names, False), frozen={}, salt="salt")
    assert 0 < len(early) < 200
    assert assign(dict.fromkeys(names, True), frozen=early, salt="salt") == both


@pytest.mark.parametrize("order", [1, -1])
def test_group_tests_from_its_first_audit_draw_on(order):
    early = divide([make_item("a", stream="door")], frozen={}, salt="salt", test_share=0.999, validation_share=0.0)
    assert (early.left_out, early.frozen) == ({"a": WhyLeftOut.NOT_AN_AUDIT_DRAW}, {})
    items = [make_item("a", stream="door"), make_audit("b", stream="door"), make_item("c", stream="door")]
    later = divide(items[::order], frozen=early.frozen, salt="salt", test_share=0.999, validation_share=0.0)
    assert splits_of(later) == {"b": TEST}
    assert later.frozen["stream:door"] is TEST


def test_test_group_holds_annotated_audit_draws_only():
    confirmed = make_audit("b", stream="door", label_source=LabelSource.CONFIRMED)
    division = divided(make_audit("a", stream="door"), confirmed, make_item("c", stream="door"), door=TEST)
    assert splits_of(division) == {"a": TEST}
    assert division.left_out == {"b": WhyLeftOut.NOT_ANNOTATED, "c": WhyLeftOut.NOT_AN_AUDIT_DRAW}


def test_train_group_takes_audit_draws_and_users_labels_without_weight():
    affirmed = make_item("b", stream="door", label_source=LabelSource.AFFIRMED)
    division = divided(make_audit("a", stream="door"), affirmed, door=TRAIN)
    assert [(example.split, example.weight) for example in division.examples] == [(TRAIN, None)] * 2


def test_copy_of_a_test_image_is_left_out_of_training():
    copy = make_item("b", stream="hall", image_sha256="f" * 64)
    original = make_audit("c", stream="door", image_sha256="f" * 64)
    division = divided(copy, original, hall=TRAIN, door=TEST)
    assert splits_of(division) == {"c": TEST}
    assert division.left_out == {"b": WhyLeftOut.IMAGE_IN_ANOTHER_SPLIT}


def test_image_that_once_trained_never_tests():
    trained = divided(make_item("b", stream="hall", image_sha256="f" * 64), hall=TRAIN)
    draw = make_audit("c", stream="door", image_sha256="f" * 64)
    division = divide([draw], frozen=trained.frozen | {"stream:door": TEST}, salt="salt")
    assert division.left_out == {"c": WhyLeftOut.IMAGE_IN_ANOTHER_SPLIT}


@pytest.mark.parametrize(
    ("changes", "weight"),
    [
        ({"audit_probability": 1.0}, 1.0),
        ({"audit_probability": 0.01, "inclusion_probability": 0.9}, 100.0),
        ({"audit_probability": 0.1, "capture_probability": 0.5, "stands_for": 3}, 60.0),
    ],
)
def test_weight_is_what_an_audit_draw_stands_for(changes, weight):
    [example] = divided(make_audit("a", stream="door", **changes), door=TEST).examples
    assert example.weight == pytest.approx(weight)


def test_weighted_mean_over_audit_draws_is_the_mean_in_production():
    """Two streams audited at different rates, one wrong in half, one never; the raw mean would say 0.25."""
    drawn = [make_audit(str(n), stream="rare", audit_probability=0.5) for n in range(100)]
    drawn += [make_audit(f"x{n}", stream="busy", audit_probability=0.01) for n in range(100)]
    division = divided(*drawn, rare=TEST, busy=TEST)
    errors = {str(n) for n in range(50)}
    wrong = sum(one.weight for one in division.examples if one.item.sample_id in errors)
    assert wrong / sum(one.weight for one in division.examples) == pytest.approx(100 / 10_200)


ITEMS = st.builds(
    lambda audit, name, **changes: (make_audit if audit else make_item)(name, **changes),
    audit=st.booleans(),
    name=st.text("abcdefgh", min_size=1, max_size=3),
    subject=st.sampled_from([None, "s1", "s2"]),
    stream=st.sampled_from([None, "c1", "c2", "c3"]),
    image_sha256=st.sampled_from([digit * 64 for digit in "0123456789abcdef"]),
    label_source=st.sampled_from(LabelSource),
)
EXPORTS = st.lists(st.lists(ITEMS, max_size=8), max_size=5)


def history(batches):
    """Yield the division of each export; every one holds all the items so far, the first of each id."""
    seen, frozen = {}, {}
    for batch in batches:
        seen = {item.sample_id: item for item in batch} | seen
        division = divide(seen.values(), frozen=frozen, salt="salt", test_share=0.5)
        frozen = frozen | division.frozen
        yield division


@settings(max_examples=200, deadline=None)
@given(EXPORTS)
def test_frozen_split_never_changes(batches):
    frozen = {}
    for division in history(batches):
        assert {key: division.frozen.get(key, split) for key, split in frozen.items()} == frozen
        frozen |= division.frozen


@settings(max_examples=200, deadline=None)
@given(EXPORTS)
def test_no_group_image_or_sample_is_ever_in_two_splits(batches):
    places = {}
    for division in history(batches):
        for example in division.examples:
            item = example.item
            group = group_key(sample_id=item.sample_id, subject=item.subject, stream=item.stream)
            for key in (group, f"image:{item.image_sha256}", item.sample_id):
                assert places.setdefault(key, example.split) is example.split


@settings(max_examples=200, deadline=None)
@given(EXPORTS)
def test_test_is_annotated_audit_draws_with_weights(batches):
    for division in history(batches):
        for example in division.examples:
            assert (example.weight is not None) == (example.split is TEST)
            if example.split is TEST:
                assert example.item.is_audit
                assert example.item.label_source is LabelSource.ANNOTATOR


@settings(max_examples=100, deadline=None)
@given(EXPORTS, st.randoms())
def test_every_item_is_placed_or_explained_in_any_order(batches, random):
    items = list({item.sample_id: item for batch in batches for item in batch}.values())
    division = divide(items, frozen={}, salt="salt")
    random.shuffle(items)
    assert divide(items, frozen={}, salt="salt") == division
    assert sorted([*splits_of(division), *division.left_out]) == sorted(item.sample_id for item in items)


def test_user_that_changes_nothing_but_its_label_source_stays_in_its_split():
    item = make_item("a", stream="door", label_source=LabelSource.CONFIRMED)
    first = divide([item], frozen={}, salt="salt", test_share=0.0)
    later = divide([replace(item, label_source=LabelSource.ANNOTATOR)], frozen=first.frozen, salt="other")
    assert splits_of(later) == splits_of(first)
