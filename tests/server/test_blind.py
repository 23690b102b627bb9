"""Blind audits: an annotator sees the picture alone, and is compared with the model all the same."""

from uuid import UUID

from feedback_sdk.types import Box
from queue_server.push import PushResult
from tests.server.conftest import jpeg, prediction, sample
from tests.server.loop import Loop, drawn, loop

__all__ = ["loop"]  # the fixture

#: as the model saw it: the box that `drawn(10.0)` draws, on 64 x 48 pixels
SEEN = Box(label="pill", x_min=6.4, y_min=4.8, x_max=12.8, y_max=9.6, confidence=0.9)


def audited(loop: Loop) -> UUID:
    """Let every sample be drawn for a blind audit, and push one."""
    loop.apply("strategy: random, rate: 1.0, blind: 1.0, tags: [audit]\nstrategy: user_rejected")
    value = sample(prediction(boxes=[SEEN]))
    loop.server.post(value, jpeg())
    loop.push()
    return value.id


def judged(loop: Loop, sample_id: UUID) -> dict:
    loop.pull()
    (annotation,) = loop.server.sample(sample_id)["annotations"]
    return annotation["model_difference"]


def test_blind_task_shows_the_picture_alone(loop: Loop) -> None:
    task = loop.task(audited(loop))
    assert task["predictions"] == []
    data = task["data"]
    assert (data["summary"], data["reason"], data["model_version"]) == ("Label what you see", "", None)


def test_blind_task_stays_blind_when_a_user_objects(loop: Loop) -> None:
    sample_id = audited(loop)
    loop.server.say(sample_id, "corrected", correction={"count": 5}, comment="five!", reporter="anna")
    assert loop.push() == PushResult(updated=1)
    data = loop.task(sample_id)["data"]
    assert data["priority"] == 100
    assert (data["summary"], data["reasons"], data["user_count"], data["comment"]) == (
        "Label what you see",
        "",
        None,
        "",
    )


def test_one_who_draws_what_the_model_saw_says_that_it_is_right(loop: Loop) -> None:
    sample_id = audited(loop)
    loop.server.say(sample_id, "confirmed")
    loop.submit(loop.task(sample_id), drawn(11.0))
    assert judged(loop, sample_id) == {"kept": 1, "changed": 0, "removed": 0, "added": 0, "count_difference": 0}
    assert loop.outcome(sample_id) == "user_right"


def test_one_who_draws_another_object_says_that_it_is_wrong(loop: Loop) -> None:
    sample_id = audited(loop)
    loop.server.say(sample_id, "confirmed")
    loop.submit(loop.task(sample_id), drawn(50.0))
    assert judged(loop, sample_id) == {"kept": 0, "changed": 0, "removed": 1, "added": 1, "count_difference": 0}
    assert loop.outcome(sample_id) == "user_wrong"


def test_blind_annotation_is_kept_as_such(loop: Loop) -> None:
    sample_id = audited(loop)
    loop.submit(loop.task(sample_id), drawn(11.0))
    loop.pull()
    assert [row.is_blind for row in loop.annotations(sample_id)] == [True]
