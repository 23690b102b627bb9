"""What holds of every strategy."""

from dataclasses import replace

import pytest

from feedback_sdk.types import Keypoint, Prediction
from queue_server.core.policy import STRATEGIES, parse_rules
from queue_server.core.policy.rules import NEEDS
from tests.core.policy.every_rule import REQUIRED, least
from tests.core.policy.policies import AFTER, box, candidate, counted, said

SCORED = [name for name, kind in STRATEGIES.items() if kind.score is not None or "missing" in kind.parameters]
NOTHING = [
    said(),
    said(confidence=0.99),
    counted(0, confidence=0.99),
    counted(0, boxes=[], confidence=1.0),
    Prediction(model_version="v1", task="segmentation", polygons=[], masks=[]),
    Prediction(model_version="v1", task="keypoints", keypoints=[], confidence=0.99),
    Prediction(model_version="v1", task="detection", boxes=[], classes={"pill": 1.0}),
]


def test_every_strategy_has_a_rule_in_these_tests() -> None:
    assert list(REQUIRED) == sorted(REQUIRED, key=list(STRATEGIES).index)
    assert set(REQUIRED) == set(STRATEGIES)


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("name", SCORED)
def test_zero_objects_never_count_as_certain(name: str, nothing: Prediction) -> None:
    (rule,) = parse_rules([least(name)], STRATEGIES)
    found = rule.kind.match(rule, candidate(prediction=nothing), AFTER)
    assert (found.matched, found.score) == (True, None)


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("name", SCORED)
def test_zero_objects_have_no_score_for_a_rule_that_ignores_them(name: str, nothing: Prediction) -> None:
    (rule,) = parse_rules([least(name) | {"missing": "ignore"}], STRATEGIES)
    found = rule.kind.match(rule, candidate(prediction=nothing), AFTER)
    assert (found.matched, found.score) == (False, None)


@pytest.mark.parametrize(
    "prediction",
    [
        None,
        said(None),
        counted(3),
        Prediction(model_version="v1", task="classification"),
        Prediction(model_version="v1", task="classification", classes={"cat": 0.0, "dog": 0.0}),
        Prediction(model_version="v1", task="classification", classes={"cat": 0.2, "dog": 0.9}, multi_label=True),
        Prediction(model_version="v1", task="keypoints", keypoints=[Keypoint(label="pill", x=1, y=1)]),
        said(boxes=[box(None, classes={"pill": 0.0})]),
    ],
)
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_takes_any_prediction(name: str, prediction: Prediction | None) -> None:
    (rule,) = parse_rules([least(name)], STRATEGIES)
    for labels in ((), ("pill",)):
        found = rule.kind.match(replace(rule, labels=labels), candidate(prediction=prediction), AFTER)
        assert isinstance(found.matched, bool)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_says_what_it_takes_and_needs(name: str) -> None:
    kind = STRATEGIES[name]
    assert kind.about
    assert 0 <= kind.priority <= 1000
    assert kind.needs <= set(NEEDS)
    assert all(parameter.schema()["description"] for parameter in kind.parameters.values())
