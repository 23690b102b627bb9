"""When it is time to train: which reasons count, what holds them back, and what is said."""

from datetime import timedelta

import pytest

from queue_server.core.alerts import FigureNow
from queue_server.core.retraining import (
    Advice,
    Learned,
    Prepared,
    Reason,
    ReasonName,
    RetrainingRule,
    advise,
    parse_retraining,
    retraining_document,
    retraining_message,
)
from queue_server.errors import PolicyError
from tests.core.test_alerts_standing import NOW

GOOD = FigureNow(value=0.95, low=0.93, high=0.965, n=400)


def advice(rule: RetrainingRule, **more: object) -> Advice:
    values = {"trained_at": NOW - timedelta(days=9), "new_labels": 500, "new_errors": 50}
    return advise(rule, Learned(**(values | more)), now=NOW)


def test_file_without_it_says_nothing() -> None:
    assert parse_retraining(None, channels=[]) is None


def test_nothing_learned_is_no_reason() -> None:
    found = advice(RetrainingRule(new_errors=1), new_labels=0, new_errors=0, trained_at=None)
    assert (found.is_time, [reason.is_reached for reason in found.reasons]) == (False, [False])


@pytest.mark.parametrize(
    ("rule", "learned", "is_time"),
    [
        (RetrainingRule(new_errors=50), {}, True),
        (RetrainingRule(new_errors=51), {}, False),
        (RetrainingRule(new_labels=500), {}, True),
        (RetrainingRule(new_labels=501), {}, False),
        (RetrainingRule(new_labels=501, new_errors=50), {}, True),
        (RetrainingRule(drifted_features=1), {"drifted": ("brightness",)}, True),
        (RetrainingRule(drifted_features=2), {"drifted": ("brightness",)}, False),
        (RetrainingRule(drifted_features=1), {"drifted": None}, False),
        (RetrainingRule(quality_drop=0.05), {}, False),
        (
            RetrainingRule(quality_drop=0.05),
            {"accuracy_at_first": GOOD, "accuracy": FigureNow(value=0.85, low=0.8, high=0.89)},
            True,
        ),
        (
            RetrainingRule(quality_drop=0.05),
            {"accuracy_at_first": GOOD, "accuracy": FigureNow(value=0.85, low=0.7, high=0.97)},
            False,
        ),
        (
            RetrainingRule(quality_drop=0.05),
            {"accuracy_at_first": GOOD, "accuracy": FigureNow(value=0.92, low=0.91, high=0.925)},
            False,
        ),
    ],
)
def test_one_reason_will_do_and_a_drop_must_be_sure(rule: RetrainingRule, learned: dict, is_time: bool) -> None:
    assert advice(rule, **learned).is_time is is_time


@pytest.mark.parametrize(
    ("rule", "learned", "why"),
    [
        (RetrainingRule(new_errors=5, at_least_labels=600), {}, "500 samples are annotated since"),
        (
            RetrainingRule(new_errors=5, wait_seconds=10 * 86_400),
            {},
            "the last training's data was taken on 2026-11-11",
        ),
        (RetrainingRule(new_errors=5, wait_seconds=10 * 86_400), {"trained_at": None}, None),
        (RetrainingRule(drifted_features=1), {"drifted": ("count",), "new_labels": 0}, "0 samples are annotated since"),
        (RetrainingRule(new_errors=99, at_least_labels=600), {}, None),
    ],
)
def test_reason_is_held_back_and_says_why(rule: RetrainingRule, learned: dict, why: str | None) -> None:
    found = advice(rule, **learned)
    assert (found.held_back or "").startswith(why or "")
    assert (found.held_back is None) == (why is None)
    assert not (found.is_time and why)


@pytest.mark.parametrize(
    "given",
    [
        {"new_errors": 200},
        {"quality_drop": 0.02, "wait": "7d", "format": "coco", "include": ["confirmed"], "channels": ["ops"]},
    ],
)
def test_document_is_read_as_the_same(given: dict) -> None:
    rule = parse_retraining(given, channels=["ops"])
    assert parse_retraining(retraining_document(rule), channels=["ops"]) == rule


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "retraining: must hold one of new_errors, new_labels, quality_drop, drifted_features, got none"),
        ([], "retraining: must be a mapping"),
        ({"new_erors": 5}, "did you mean new_errors?"),
        ({"new_errors": 0}, "retraining.new_errors: must be from 1"),
        ({"new_errors": 1.5}, "retraining.new_errors: must be a whole number"),
        ({"quality_drop": 2}, "retraining.quality_drop: must be from 0 to 1"),
        ({"new_errors": 5, "format": "voc"}, "retraining.format: must be one of coco"),
        ({"new_errors": 5, "include": ["annotator"]}, "retraining.include: must list confirmed or affirmed"),
        ({"new_errors": 5, "channels": ["opps"]}, "retraining.channels: must name channels of this file, ops"),
    ],
)
def test_fault_says_what_must_hold(given: object, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_retraining(given, channels=["ops"])
    assert said in str(caught.value)


def message(items: int) -> dict:
    reason = Reason(name=ReasonName.NEW_ERRORS, value=50.0, threshold=50.0, is_reached=True, sentence="50 of 50")
    idle = Reason(name=ReasonName.NEW_LABELS, value=5.0, threshold=50.0, is_reached=False, sentence="5 of 50")
    manifest = {"version": 1, "items": [{"sample_id": str(number)} for number in range(items)]}
    said = retraining_message(
        "pills",
        Advice(is_time=True, reasons=(reason, idle), held_back=None),
        prepared=Prepared(export_id="e-1", url="http://here/v1/exports/coco", manifest=manifest),
        compared="v8 beats v7 by 2.1 ± 0.9 points",
        link="http://here/",
        at=NOW,
    )
    assert said.lines == ("50 of 50", "data set: http://here/v1/exports/coco, export e-1", said.document["comparison"])
    return said.document


def test_message_names_reached_reasons_and_holds_the_manifest() -> None:
    document = message(3)
    assert [reason["name"] for reason in document["reasons"]] == ["new_errors"]
    assert (document["export"]["id"], len(document["export"]["manifest"]["items"])) == ("e-1", 3)


def test_manifest_that_is_long_is_told_without_its_items() -> None:
    manifest = message(2001)["export"]["manifest"]
    assert (manifest.get("items"), manifest["items_left_out"], manifest["version"]) == (None, 2001, 1)
