"""One turn of the loop through a real Label Studio: pushed once, annotated, pulled, exported."""

from pathlib import Path
from uuid import UUID

import pytest

from feedback_sdk.types import Box
from queue_server.backend import Backend
from queue_server.core.datasets import LabelSource
from queue_server.errors import LabelStudioError
from queue_server.export import write_folder
from queue_server.label_studio import LabelStudio
from queue_server.pull import PullResult
from queue_server.push import PushResult, push_project
from queue_server.store import metrics, samples
from queue_server.store.engine import reading
from tests.server.conftest import PROJECT, apply_project, jpeg, prediction, sample
from tests.server.loop import Loop, loop

__all__ = ["loop"]  # the fixture


def test_queued_samples_are_pushed_once_however_often_we_push(loop: Loop) -> None:
    ids = [loop.queue() for _ in range(3)]
    assert [loop.push().pushed, loop.push().pushed] == [3, 0]
    assert sorted(task["data"]["sample_id"] for task in loop.tasks()) == sorted(map(str, ids))
    assert {loop.server.sample(sample_id)["state"] for sample_id in ids} == {"pushed"}


def test_task_says_what_the_annotator_needs(loop: Loop) -> None:
    data = loop.task(_pushed(loop, loop.queue(0.8, 0.7)))["data"]
    assert (data["reason"], data["model_version"], data["priority"]) == ("user_rejected", "v1", 100)
    assert data["confidence"] == pytest.approx(0.75)
    image = loop.server.open.get(data["image"].removeprefix("http://127.0.0.1:8500"))
    assert image.headers["Content-Type"] == "image/jpeg"


def test_annotation_comes_back_with_how_it_differs(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue(0.8, 0.7))
    loop.annotate(sample_id, lambda result: [region for region in result if region["id"] != "m0"])
    assert loop.pull().annotations == 1
    found = loop.server.sample(sample_id)
    assert found["state"] == "annotated"
    assert [len(item["annotation"]["boxes"]) for item in found["annotations"]] == [1]
    assert found["annotations"][0]["model_difference"]["removed"] == 1
    assert found["annotations"][0]["lead_time_seconds"] == 7.5


def test_annotation_is_measured_as_it_is_pulled(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue(0.8, 0.7))
    loop.annotate(sample_id)
    loop.pull()
    with reading(loop.backend.engine) as session:
        row = samples.find(session, loop.project.id, sample_id)
        found = metrics.of_sample(session, row.id)
    assert (found["annotated_count"], found["annotated_labels"]) == (2, 1)
    assert found["annotated_area_px"] == pytest.approx(4 * 6, abs=0.1)


def test_sample_from_before_a_model_exists_is_annotated_and_exported(loop: Loop) -> None:
    loop.apply("strategy: random, rate: 1.0")
    value = sample(prediction=None)
    loop.server.post(value, jpeg())
    task = loop.task(_pushed(loop, value.id))
    assert (task["predictions"], task["data"]["summary"]) == ([], "No prediction")
    box = {"x": 10.0, "y": 10.0, "width": 20.0, "height": 20.0, "rotation": 0, "rectanglelabels": ["pill"]}
    region = {"id": "new", "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "value": box}
    loop.submit(task, [region | {"original_width": 64, "original_height": 48, "image_rotation": 0}])
    loop.pull()
    assert loop.state(value.id) == ("annotated", "random")
    assert loop.export(frozenset()).items == 1


def test_audit_stands_at_random_places_in_the_inbox(loop: Loop) -> None:
    loop.apply("strategy: user_rejected\nstrategy: random, rate: 1.0")
    values = [sample() for _ in range(6)]
    for value in values:
        loop.server.post(value, jpeg())
    loop.push()
    data = [loop.task(value.id)["data"] for value in values]
    assert {item["priority"] for item in data} == {10}
    assert len({item["rank"] for item in data}) == 6
    assert all(10 <= float(item["rank"]) <= 100 for item in data)


def test_pulling_again_adds_nothing(loop: Loop) -> None:
    loop.annotate(_pushed(loop, loop.queue()))
    assert [loop.pull(), loop.pull()] == [PullResult(annotations=1), PullResult()]


def test_edited_annotation_replaces_its_earlier_version(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue(0.8, 0.7))
    annotation = loop.annotate(sample_id)
    loop.pull()
    loop.label_studio.patch(f"/api/annotations/{annotation}/", json={"result": []}).raise_for_status()
    assert loop.pull().annotations == 1
    found = loop.server.sample(sample_id)["annotations"]
    assert [item["annotation"] for item in found] == [{}]


def test_deleted_annotation_sends_its_sample_back(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue())
    annotation = loop.annotate(sample_id)
    loop.pull()
    loop.label_studio.delete(f"/api/annotations/{annotation}/").raise_for_status()
    assert loop.pull().deleted_annotations == 1
    assert loop.server.sample(sample_id)["state"] == "pushed"


def test_skipped_task_archives_its_sample(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue())
    loop.annotate(sample_id, was_cancelled=True)
    assert loop.pull().skipped == 1
    assert (loop.server.sample(sample_id)["state"], loop.server.sample(sample_id)["reason"]) == ("archived", "skipped")


def test_deleted_task_is_noticed_and_a_later_rejection_makes_a_new_one(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue())
    loop.label_studio.delete(f"/api/tasks/{loop.task(sample_id)['id']}/").raise_for_status()
    assert loop.pull().deleted_tasks == 1
    assert loop.server.sample(sample_id)["reason"] == "withdrawn"
    loop.server.say(sample_id, "rejected", reporter="bert")
    assert loop.push().pushed == 1
    assert loop.server.sample(sample_id)["labeling_task"]["generation"] == 2


def test_late_correction_reaches_the_untouched_task(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue(0.8))
    loop.server.say(sample_id, "corrected", reporter="bert", correction={"count": 30}, comment="one is missing")
    assert loop.push().updated == 1
    data = loop.task(sample_id)["data"]
    assert data["user_count"] == 30
    assert "one is missing" in data["comment"]


def test_box_and_spot_that_a_user_adds_after_the_first_tap_are_drawn_in_the_untouched_task(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue(0.8))
    box = {"action": "add", "label": "pill", "x_min": 30.0, "y_min": 20.0, "x_max": 40.0, "y_max": 30.0}
    correction = {"count": 3, "boxes": [box], "points": [{"x": 5.0, "y": 40.0}]}
    loop.server.say(sample_id, "corrected", reporter="anna", correction=correction)
    assert loop.push().updated == 1
    predictions = loop.task(sample_id)["predictions"]
    assert len(predictions) == 1
    assert {region["id"] for region in predictions[0]["result"]} == {"m0", "u0", "s0"}
    assert loop.push() == PushResult()


def test_taken_back_rejection_withdraws_the_untouched_task(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue())
    loop.server.say(sample_id, "confirmed", reporter="anna")
    assert loop.push().withdrawn == 1
    assert loop.server.sample(sample_id)["reason"] == "withdrawn"
    assert loop.task(sample_id)["data"]["inbox"] == "no"


def test_withdrawn_task_comes_back_as_the_same_task(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue())
    loop.server.say(sample_id, "confirmed", reporter="anna")
    loop.push()
    loop.server.say(sample_id, "rejected", reporter="bert")
    assert loop.push().adopted == 1
    assert [task["data"]["inbox"] for task in loop.tasks()] == ["yes"]
    assert loop.server.sample(sample_id)["state"] == "pushed"


def test_touched_task_is_not_withdrawn(loop: Loop) -> None:
    sample_id = _pushed(loop, loop.queue())
    loop.annotate(sample_id)
    loop.server.say(sample_id, "confirmed", reporter="anna")
    assert loop.push().withdrawn == 0
    loop.pull()
    assert loop.server.sample(sample_id)["state"] == "annotated"


def test_import_whose_answer_was_lost_is_found_and_not_repeated(loop: Loop) -> None:
    loop.queue()
    lossy = _Lossy(loop.client.url, loop.label_studio.headers["Authorization"].removeprefix("Token "))
    result = push_project(loop.backend, lossy, loop.project)
    assert (result.failed, len(loop.tasks())) == (1, 1)
    _make_available(loop.backend)
    assert loop.push() == PushResult(adopted=1)
    assert len(loop.tasks()) == 1


class _Lossy(LabelStudio):
    """Label Studio behind a network that loses the answer of an import."""

    def import_tasks(self, project_id: int, envelopes) -> list[int]:  # type: ignore[no-untyped-def]  # tests are not typed
        super().import_tasks(project_id, envelopes)
        raise LabelStudioError("the connection was lost")


def test_export_holds_the_annotators_work_and_has_the_same_id_again(loop: Loop, tmp_path: Path) -> None:
    sample_id = _pushed(loop, loop.queue(0.8, 0.7))
    loop.annotate(sample_id)
    loop.pull()
    first, again = (loop.export(frozenset()) for _ in range(2))
    assert (first.items, first.export_id) == (1, again.export_id)
    write_folder(loop.backend, first, tmp_path / "out")
    assert len(list((tmp_path / "out" / "images").iterdir())) == 1


def test_confirmed_samples_join_an_export_when_asked(loop: Loop) -> None:
    value = sample()
    loop.server.post(value, jpeg())
    loop.server.say(value.id, "confirmed")
    assert [loop.export(include).items for include in (frozenset(), frozenset({LabelSource.CONFIRMED}))] == [0, 1]


def test_webhook_is_registered_and_is_a_hint(loop: Loop) -> None:
    loop.queue()
    loop.push()
    hooks = loop.label_studio.get("/api/webhooks/", params={"project": loop.target.label_studio_project_id}).json()
    assert hooks[0]["url"] == "http://127.0.0.1:8500/v1/label-studio/pill-counter"
    headers = hooks[0]["headers"]
    assert loop.server.open.post("/v1/label-studio/pill-counter", json={}).status_code == 401
    assert loop.server.open.post("/v1/label-studio/pill-counter", json={}, headers=headers).status_code == 204
    assert loop.project.pull_wanted_at is not None


def _pushed(loop: Loop, sample_id: UUID) -> UUID:
    loop.push()
    return sample_id


def _make_available(backend: Backend) -> None:
    """Let the pause after a failed push be over."""
    with backend.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE labeling_task SET available_at = '2026-01-01 00:00:00.000000'")


class _Banned(LabelStudio):
    """Label Studio that refuses to call our address, as it does by default for private ones."""

    def ensure_webhook(self, project_id: int, url: str, *, headers) -> int:  # type: ignore[no-untyped-def]  # tests are not typed
        raise LabelStudioError("URL resolves to a reserved network address", permanent=True, status=403)


def test_refused_webhook_does_not_stop_the_push(loop: Loop) -> None:
    loop.queue()
    banned = _Banned(loop.client.url, loop.label_studio.headers["Authorization"].removeprefix("Token "))
    assert push_project(loop.backend, banned, loop.project).pushed == 1


def test_label_that_is_added_later_reaches_label_studio(loop: Loop) -> None:
    loop.queue()
    loop.push()
    text = PROJECT.replace("[pill, capsule]", "[pill, capsule, tablet]")
    apply_project(loop.backend, text + f'label_studio: {{project: "{loop.project.label_studio_title}"}}\n')
    tablet = Box(label="tablet", x_min=1.0, y_min=1.0, x_max=9.0, y_max=9.0)
    value = sample(prediction(boxes=[tablet]))
    loop.server.post(value, jpeg())
    loop.server.say(value.id, "rejected")
    assert loop.push() == PushResult(pushed=1)
    assert loop.task(value.id)["predictions"][0]["result"][0]["value"]["rectanglelabels"] == ["tablet"]
