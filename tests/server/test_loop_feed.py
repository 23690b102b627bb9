"""What an annotator did, as the app that sent the sample hears of it; through a real Label Studio."""

from uuid import UUID

from tests.server.conftest import jpeg, sample
from tests.server.loop import Loop, loop

__all__ = ["loop"]  # the fixture


def outcomes(made: Loop, sample_id: UUID) -> list[str | None]:
    changes = made.server.read.get("/v1/samples/changes").json()["changes"]
    return [
        change["outcome"] for change in changes if change["id"] == str(sample_id) and change["state"] == "annotated"
    ]


def annotated(made: Loop, **more: object) -> tuple[UUID, int]:
    sample_id = made.queue(0.8, 0.7)
    made.push()
    annotation = made.annotate(sample_id, **more)
    made.pull()
    return sample_id, annotation


def test_objection_to_a_prediction_that_was_kept_was_wrong(loop: Loop) -> None:
    sample_id, _ = annotated(loop)
    assert outcomes(loop, sample_id) == ["user_wrong"]


def test_objection_to_a_prediction_that_was_mended_was_right(loop: Loop) -> None:
    sample_id, _ = annotated(loop, change=lambda result: result[:1])
    assert outcomes(loop, sample_id) == ["user_right"]


def test_annotation_that_is_changed_later_comes_in_the_feed_again(loop: Loop) -> None:
    sample_id, annotation = annotated(loop)
    loop.label_studio.patch(f"/api/annotations/{annotation}/", json={"result": []}).raise_for_status()
    loop.pull()
    assert outcomes(loop, sample_id) == ["user_wrong", "user_right"]
    loop.pull()
    assert len(outcomes(loop, sample_id)) == 2


def test_verdict_that_changes_after_the_annotation_changes_the_outcome(loop: Loop) -> None:
    sample_id, _ = annotated(loop)
    loop.server.say(sample_id, "confirmed", reporter="anna")
    assert outcomes(loop, sample_id) == ["user_wrong", "user_right"]


def test_skipped_and_deleted_annotations_judge_nobody(loop: Loop) -> None:
    sample_id, annotation = annotated(loop)
    loop.label_studio.delete(f"/api/annotations/{annotation}/").raise_for_status()
    loop.pull()
    skipped, _ = annotated(loop, was_cancelled=True)
    latest = loop.server.read.get("/v1/samples/changes", params={"id": [str(sample_id), str(skipped)]}).json()
    assert {(item["state"], item["outcome"]) for item in latest["changes"]} == {("pushed", None), ("archived", None)}


def test_sample_without_image_is_pushed_once_when_its_image_comes(loop: Loop) -> None:
    value = sample()
    loop.server.post(value)
    loop.server.say(value.id, "rejected")
    assert loop.push().pushed == 0
    loop.server.ingest.put(f"/v1/samples/{value.id}/image", content=jpeg()).raise_for_status()
    assert [loop.push().pushed, loop.push().pushed] == [1, 0]
    assert loop.server.sample(value.id)["state"] == "pushed"
