"""How a look at a sample stands."""

from datetime import UTC, datetime

import pytest

from feedback_sdk.types import Task
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import Candidate
from queue_server.core.standing import Standing, standing

ANNA_7, BEN_7, BEN_8 = ("anna", 7), ("ben", 7), ("ben", 8)


def candidates(*said, **more):
    return [
        Candidate(
            id=number,
            annotation=Annotation(count=count),
            annotator=annotator,
            updated_at=datetime(2026, 11, 20 + number, tzinfo=UTC),
            **more,
        )
        for number, (annotator, count) in enumerate(said)
    ]


def stands(readable=(), *, finishers=0, skippers=0, annotators=1):
    return standing(readable, finishers=finishers, skippers=skippers, annotators=annotators, task=Task.COUNTING)


def test_look_that_nobody_has_begun_is_open():
    assert stands() is Standing.OPEN


@pytest.mark.parametrize(
    ("readable", "asked", "expected"),
    [
        (candidates(ANNA_7), {"finishers": 1}, Standing.ANNOTATED),
        (candidates(ANNA_7), {"finishers": 1, "annotators": 2}, Standing.OPEN),
        (candidates(ANNA_7, BEN_7), {"finishers": 2, "annotators": 2}, Standing.ANNOTATED),
        (candidates(ANNA_7, BEN_8), {"finishers": 2, "annotators": 2}, Standing.CONTESTED),
        (candidates(ANNA_7, BEN_8), {"finishers": 2, "annotators": 3}, Standing.OPEN),
        (candidates(ANNA_7, BEN_8, ("cleo", 8)), {"finishers": 3, "annotators": 3}, Standing.ANNOTATED),
        (candidates(ANNA_7, ("ben", 9), BEN_7), {"finishers": 2, "annotators": 2}, Standing.ANNOTATED),
    ],
)
def test_look_ends_when_all_who_were_asked_have_finished(readable, asked, expected):
    assert stands(readable, **asked) is expected


def test_second_opinion_that_nobody_asked_for_contests_it_too():
    assert stands(candidates(ANNA_7, BEN_8), finishers=2) is Standing.CONTESTED


def test_ground_truth_ends_a_look_at_once():
    assert stands(candidates(ANNA_7, is_ground_truth=True), finishers=1, annotators=3) is Standing.ANNOTATED


def test_skip_of_the_only_one_ends_it_as_skipped():
    assert stands(skippers=1) is Standing.SKIPPED


def test_skip_does_not_count_as_finished_but_nobody_else_will_come():
    assert stands(candidates(ANNA_7), finishers=1, skippers=1, annotators=3) is Standing.ANNOTATED


def test_annotation_that_cannot_be_read_finishes_a_look_and_contests_nothing():
    assert stands([], finishers=1) is Standing.ANNOTATED
    assert stands(candidates(ANNA_7), finishers=2, annotators=2) is Standing.ANNOTATED
