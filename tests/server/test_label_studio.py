"""The client against a real Label Studio that checks pre-annotations."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from feedback_sdk.types import Box, BoxCorrection, Correction, Keypoint, Mask, Point, Polygon, Prediction, Task
from queue_server.core import rle
from queue_server.core.annotation import Difference
from queue_server.core.label_config import label_config, own_controls
from queue_server.core.label_studio_json import annotation, model_difference, pre_annotation, task_data, user_difference
from queue_server.errors import LabelStudioError
from queue_server.label_studio.client import WEBHOOK_ACTIONS
from tests.server.label_studio_calls import (
    LABELS,
    NUMBERS,
    annotate,
    call,
    envelope,
    first_looks,
    in_tab,
    new_annotator,
    new_project,
    next_in_tab,
    proposal,
)


def test_check_names_the_version_and_our_user(client, label_studio):
    assert client.check().version.startswith("1.")
    assert client.check().user == label_studio.email


def test_project_is_made_once_and_found_by_its_exact_title(client):
    title = f"client test {next(NUMBERS)}"
    longer = client.ensure_project(f"{title} longer", label_config(task=Task.DETECTION, labels=LABELS))
    made = client.ensure_project(title, label_config(task=Task.DETECTION, labels=LABELS))
    assert made != longer
    assert client.ensure_project(title, label_config(task=Task.COUNTING, labels=["other"])) == made
    assert "capsule &amp; co" in client.get_label_config(made)


def test_title_that_label_studio_refuses_is_told_in_its_words(client):
    with pytest.raises(LabelStudioError, match="at least 3 characters") as caught:
        client.ensure_project("x", label_config(task=Task.DETECTION, labels=LABELS))
    assert caught.value.permanent
    assert caught.value.status == 400


PREDICTIONS = {
    Task.CLASSIFICATION: {"classes": {"pill": 0.9, "capsule & co": 0.1}},
    Task.DETECTION: {
        "boxes": [
            Box(label="pill", x_min=0.0, y_min=0.0, x_max=640.0, y_max=480.0, confidence=0.25),
            Box(label="capsule & co", x_min=500.0, y_min=300.0, x_max=700.0, y_max=380.0, rotation_degrees=80.0),
        ]
    },
    Task.SEGMENTATION: {
        "polygons": [Polygon(label="pill", points=[(0, 0), (640, 0), (640, 480)])],
        "masks": [Mask(label="pill", rle=rle.encode(np.eye(480, 640, dtype=bool)))],
    },
    Task.KEYPOINTS: {"keypoints": [Keypoint(label="pill", x=640.0, y=480.0)]},
    Task.COUNTING: {"boxes": [Box(label="pill", x_min=1.0, y_min=1.0, x_max=9.0, y_max=9.0)], "count": 1},
}


@pytest.mark.parametrize("task", list(Task))
def test_pre_annotation_of_each_task_is_stored_and_comes_back_as_the_same_annotation(client, label_studio, task):
    project_id = new_project(client, task)
    added = BoxCorrection(action="add", label="pill", x_min=50.0, y_min=50.0, x_max=90.0, y_max=90.0)
    said = proposal(
        prediction=Prediction(model_version="v1", task=task, **PREDICTIONS[task]),
        correction=Correction(boxes=[added], points=[Point(x=1.0, y=1.0)]),
        confidence=0.5,
    )
    sent = pre_annotation(said, controls=own_controls(task))
    (task_id,) = client.import_tasks(project_id, [sent])
    (stored,) = call(label_studio, "GET", f"/api/tasks/{task_id}/")["predictions"]
    assert stored["result"] == sent["predictions"][0]["result"]
    annotate(label_studio, task_id, stored["result"])
    (changed,) = client.changed_since(project_id, datetime.now(UTC) - timedelta(minutes=5))
    (raw,) = changed.annotations
    assert annotation(raw.result, width=640, height=480) == annotation(stored["result"], width=640, height=480)
    assert model_difference(raw.result, said, controls=own_controls(task)).removed == 0


def test_what_an_annotator_did_is_told_from_the_ids(client, label_studio, project_id):
    removed = Correction(boxes=[BoxCorrection(action="remove", target=0)])
    said = proposal(correction=removed)
    (task_id,) = client.import_tasks(project_id, [envelope(correction=removed)])
    annotate(
        label_studio, task_id, pre_annotation(said, controls=own_controls("detection"))["predictions"][0]["result"]
    )
    (changed,) = client.changed_since(project_id, datetime.now(UTC) - timedelta(minutes=5))
    result = changed.annotations[0].result
    controls = own_controls("detection")
    assert model_difference(result, said, controls=controls) == Difference(removed=1, count_difference=-1)
    assert user_difference(result, said, controls=controls) == Difference(count_difference=0)


def test_ids_come_in_the_order_of_the_request(client, project_id):
    names = [f"s{index}" for index in range(20)]
    task_ids = client.import_tasks(project_id, [envelope(name) for name in names])
    assert client.find_tasks(project_id, first_looks(names)) == dict(zip(first_looks(names), task_ids, strict=True))


def test_prediction_that_does_not_fit_is_named_before_anything_is_sent(client, project_id):
    wrong = Prediction(
        model_version="v1",
        task="detection",
        boxes=[Box(label="tablet", x_min=1.0, y_min=1.0, x_max=9.0, y_max=9.0)],
    )
    envelopes = [envelope("good"), envelope("bad", prediction=wrong)]
    with pytest.raises(LabelStudioError, match=r"sample bad: .*tablet") as caught:
        client.check_tasks(project_id, envelopes)
    assert caught.value.permanent
    assert client.find_tasks(project_id, first_looks(["good", "bad"])) == {}


def test_oldest_task_of_a_sample_is_found(client, project_id):
    assert client.find_tasks(project_id, []) == {}
    first, _ = client.import_tasks(project_id, [envelope("s1"), envelope("s1")])
    assert client.find_tasks(project_id, first_looks(["s1", "unknown"])) == {("s1", 1): first}


def test_more_ids_than_one_question_holds_are_asked_in_parts(client, project_id):
    names = [f"s{index}" for index in range(1001)]
    first, last = client.import_tasks(project_id, [envelope("s0"), envelope("s1000")])
    assert client.find_tasks(project_id, first_looks(names)) == {("s0", 1): first, ("s1000", 1): last}


def test_deleted_task_is_noticed(client, label_studio, project_id):
    kept, gone = client.import_tasks(project_id, [envelope("s1"), envelope("s2")])
    call(label_studio, "DELETE", f"/api/tasks/{gone}/")
    assert client.existing_task_ids(project_id, [kept, gone]) == {kept}
    assert client.get_task(gone) is None


def test_new_task_is_untouched(client, project_id):
    (task_id,) = client.import_tasks(project_id, [envelope("s1")])
    status = client.get_task(task_id)
    assert (status.sample_id, status.project_id, status.is_untouched) == ("s1", project_id, True)


@pytest.mark.parametrize("touch", ["annotation", "skip", "draft"])
def test_task_that_somebody_touched_says_so(client, label_studio, project_id, touch):
    (task_id,) = client.import_tasks(project_id, [envelope("s1")])
    if touch == "draft":
        call(label_studio, "POST", f"/api/tasks/{task_id}/drafts", {"result": [], "lead_time": 1})
    else:
        annotate(label_studio, task_id, [], was_cancelled=touch == "skip")
    assert not client.get_task(task_id).is_untouched


def test_changed_data_keeps_the_other_keys(client, project_id):
    (task_id,) = client.import_tasks(project_id, [envelope("s1", extra={"stream": "camera-2"})])
    client.update_data(task_id, {"inbox": "no", "priority": 90.0})
    data = client.get_task(task_id).data
    assert (data["inbox"], data["priority"], data["stream"], data["sample_id"]) == ("no", 90.0, "camera-2", "s1")


def test_inbox_is_numeric_and_hides_what_was_withdrawn(client, label_studio, project_id):
    view_id = client.ensure_inbox(project_id)
    priorities = {"low": 9.0, "high": 100.0, "middle": 60.0, "withdrawn": 500.0}
    sent = [envelope(name, priority=value, is_in_inbox=name != "withdrawn") for name, value in priorities.items()]
    client.import_tasks(project_id, sent)
    assert in_tab(label_studio, view_id, project_id) == ["high", "middle", "low"]


@pytest.mark.parametrize("end", [{}, {"was_cancelled": True}])
def test_finished_and_skipped_tasks_leave_the_inbox(client, label_studio, project_id, end):
    view_id = client.ensure_inbox(project_id)
    done, _open = client.import_tasks(project_id, [envelope("done"), envelope("open")])
    annotate(label_studio, done, [], **end)
    assert in_tab(label_studio, view_id, project_id) == ["open"]


def test_tab_shows_its_own_tasks_and_the_inbox_the_others(client, label_studio, project_id):
    inbox, night = client.ensure_inbox(project_id), client.ensure_tab(project_id, "Night shift")
    sent = [
        envelope("usual"),
        envelope("dark", tab="Night shift"),
        envelope("out", tab="Night shift", is_in_inbox=False),
    ]
    client.import_tasks(project_id, sent)
    assert in_tab(label_studio, inbox, project_id) == ["usual"]
    assert in_tab(label_studio, night, project_id) == ["dark"]


def test_tab_is_made_once_and_mended(client, label_studio, project_id):
    view_id = client.ensure_tab(project_id, "Night shift")
    call(label_studio, "PATCH", f"/api/dm/views/{view_id}/", {"data": {"title": "Night shift"}, "project": project_id})
    assert client.ensure_tab(project_id, "Night shift") == view_id
    assert call(label_studio, "GET", f"/api/dm/views/{view_id}/")["data"]["ordering"] == ["-tasks:data.rank"]


def test_looks_at_a_sample_are_told_apart(client, project_id):
    first, second = client.import_tasks(project_id, [envelope("s1"), envelope("s1", look=2)])
    assert client.all_tasks(project_id, ["s1"]) == {("s1", 1): [first], ("s1", 2): [second]}
    assert client.find_tasks(project_id, [("s1", 2)]) == {("s1", 2): second}
    assert client.get_task(second).look == 2


def test_task_of_before_there_were_several_looks_is_the_first(client, project_id):
    old = envelope("s1")
    (task_id,) = client.import_tasks(project_id, [old | {"data": {**old["data"], "look": None}}])
    assert client.find_tasks(project_id, [("s1", 1), ("s1", 2)]) == {("s1", 1): task_id}


def test_task_for_two_stays_in_the_inbox_until_both_have_annotated_it(client, label_studio, project_id):
    view_id, second = client.ensure_inbox(project_id), new_annotator(label_studio)
    (task_id,) = client.import_tasks(project_id, [envelope("s1")])
    client.update_data(task_id, {}, annotators=2)
    client.update_data(task_id, {"priority": 90.0})  # leaves the number as it is
    annotate(label_studio, task_id, [])
    assert next_in_tab(label_studio, view_id, project_id) is None
    assert next_in_tab(label_studio, view_id, project_id, token=second) == "s1"
    annotate(label_studio, task_id, [], token=second)
    assert in_tab(label_studio, view_id, project_id) == []


def test_inbox_is_made_once_and_mended(client, label_studio, project_id):
    view_id = client.ensure_inbox(project_id)
    hidden = {"explore": ["tasks:inner_id"], "labeling": []}
    spoilt = {"title": "Inbox", "ordering": ["tasks:id"], "hiddenColumns": hidden}
    call(label_studio, "PATCH", f"/api/dm/views/{view_id}/", {"data": spoilt, "project": project_id})
    assert client.ensure_inbox(project_id) == view_id
    mended = call(label_studio, "GET", f"/api/dm/views/{view_id}/")["data"]
    assert mended["ordering"] == ["-tasks:data.rank"]
    assert mended["hiddenColumns"] == hidden


def test_webhook_is_made_once_and_mended(client, label_studio, project_id):
    hook_id = client.ensure_webhook(project_id, "http://127.0.0.1:9/hook", headers={"X-Key": "old"})
    assert client.ensure_webhook(project_id, "http://127.0.0.1:9/hook", headers={"X-Key": "new"}) == hook_id
    (hook,) = call(label_studio, "GET", f"/api/webhooks/?project={project_id}")
    assert hook["headers"] == {"X-Key": "new"}
    assert set(hook["actions"]) == set(WEBHOOK_ACTIONS)
    assert not hook["send_for_all_actions"]


def changes(client, project_id, since):
    return {task.sample_id: task for task in client.changed_since(project_id, since)}


def test_imported_tasks_alone_are_no_change(client, project_id):
    since = datetime.now(UTC) - timedelta(minutes=5)
    (task_id,) = client.import_tasks(project_id, [envelope("s1")])
    client.update_data(task_id, {"priority": 3.0})
    assert changes(client, project_id, since) == {}


def test_annotated_edited_skipped_and_deleted_are_changes(client, label_studio, project_id):
    tasks = client.import_tasks(project_id, [envelope(name) for name in ("annotated", "skipped", "deleted")])
    ids = [annotate(label_studio, task, [], was_cancelled=task == tasks[1]) for task in tasks]
    call(label_studio, "PATCH", f"/api/annotations/{ids[0]}/", {"lead_time": 20.0})
    call(label_studio, "DELETE", f"/api/annotations/{ids[2]}/")
    found = changes(client, project_id, datetime.now(UTC) - timedelta(minutes=5))
    assert found["annotated"].annotations[0].lead_time_seconds == 20.0
    assert found["annotated"].annotations[0].annotator is not None
    assert found["skipped"].annotations[0].was_cancelled
    assert found["deleted"].annotations == ()


def test_only_changes_at_or_after_the_watermark_come(client, label_studio, project_id):
    first, second = client.import_tasks(project_id, [envelope("s1"), envelope("s2")])
    annotate(label_studio, first, [])
    annotate(label_studio, second, [])
    times = {
        name: task.updated_at for name, task in changes(client, project_id, datetime(2020, 1, 1, tzinfo=UTC)).items()
    }
    assert set(changes(client, project_id, times["s2"])) == {"s2"}
    assert changes(client, project_id, times["s2"] + timedelta(microseconds=1)) == {}


def test_changes_beyond_a_page_come_once_each(client, label_studio, project_id, monkeypatch):
    monkeypatch.setattr("queue_server.label_studio.client._CHANGED_PER_PAGE", 2)
    tasks = client.import_tasks(project_id, [envelope(f"s{index}") for index in range(5)])
    for task_id in tasks:
        annotate(label_studio, task_id, [])
    found = [task.task_id for task in client.changed_since(project_id, datetime(2020, 1, 1, tzinfo=UTC))]
    assert found == tasks


def test_task_that_changes_while_we_read_pushes_no_other_out(client, label_studio, project_id, monkeypatch):
    monkeypatch.setattr("queue_server.label_studio.client._CHANGED_PER_PAGE", 2)
    tasks = client.import_tasks(project_id, [envelope(f"s{index}") for index in range(5)])
    ids = [annotate(label_studio, task_id, []) for task_id in tasks]
    reading = client.changed_since(project_id, datetime(2020, 1, 1, tzinfo=UTC))
    found = [next(reading).task_id, next(reading).task_id]
    call(label_studio, "PATCH", f"/api/annotations/{ids[0]}/", {"lead_time": 20.0})
    found += [task.task_id for task in reading]
    assert set(found) == set(tasks)
    assert found.count(tasks[0]) == 2


def test_project_that_shows_another_models_predictions_shows_ours_then(client, label_studio, project_id):
    other = envelope("s0")
    other["predictions"][0]["model_version"] = "resnet"
    call(label_studio, "POST", f"/api/projects/{project_id}/import?return_task_ids=true", [other])
    client.import_tasks(project_id, [envelope("s1")])
    assert call(label_studio, "GET", f"/api/projects/{project_id}/")["model_version"] == "looks-wrong"


def test_address_of_a_task_is_one_that_opens(client, label_studio, project_id):
    (task_id,) = client.import_tasks(project_id, [envelope("s1")])
    assert client.task_url(project_id, task_id) == f"{label_studio.url}/projects/{project_id}/data?task={task_id}"


def test_data_of_a_task_is_brought_up_to_date(client, project_id):
    (task_id,) = client.import_tasks(project_id, [envelope("s1", priority=10.0)])
    later = proposal("s1", priority=100.0, reason="user_rejected", reasons=["user_rejected", "random"])
    client.update_data(task_id, task_data(later, controls=own_controls("detection")))
    data = client.get_task(task_id).data
    assert (data["priority"], data["reasons"]) == (100.0, "user_rejected, random")
