"""A sample whose metadata goes ahead: its image follows when it is wanted, or never."""

import hashlib
import io
from datetime import timedelta

import pytest
from PIL import Image

from feedback_sdk.types import Box, Sample
from queue_server.core.datasets import LabelSource
from queue_server.export import prepare
from queue_server.ingest.due import decide_due
from queue_server.store import labeling_tasks, targets
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, Server, jpeg, prediction, sample

PHOTO = jpeg()


def ahead(image: bytes = PHOTO, **more: object) -> Sample:
    """Return a sample that announces its image."""
    return sample(more.pop("said", None), image_sha256=hashlib.sha256(image).hexdigest(), **more)


def put(server: Server, value: Sample, image: bytes = PHOTO):
    return server.ingest.put(f"/v1/samples/{value.id}/image", content=image)


def claimed(server: Server) -> int:
    """Return how many tasks a push would take now."""
    until = NOW + timedelta(days=365 * 50)
    with writing(server.backend.engine) as session:
        target = targets.ensure(session, server.project, server.project.label_studio_title, now=NOW)
        held = labeling_tasks.claim(session, target, owner="me", now=until, lease=timedelta(seconds=-1), limit=10)
    return len(held.task_pks)


def end_window(server: Server, value: Sample) -> None:
    with reading(server.backend.engine) as session:
        from queue_server.store import samples

        row = samples.find(session, server.project.id, value.id)
    assert decide_due(server.backend, now=row.window_ends_at + timedelta(seconds=1)) == 1


def turned(width: int, height: int) -> bytes:
    """Return a JPEG of these sides as stored, which its EXIF orientation turns by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_task_waits_for_its_image_and_can_be_taken_once_it_is_there(each_server: Server) -> None:
    value = ahead()
    assert each_server.post(value).json()["image"] == "not_yet"
    each_server.say(value.id, "rejected")
    assert each_server.post(value).json()["image"] == "wanted"
    assert claimed(each_server) == 0
    assert [put(each_server, value).status_code for _ in range(2)] == [201, 200]
    assert claimed(each_server) == 1
    assert each_server.sample(value.id)["labeling_task"]["generation"] == 1


def test_low_confidence_wants_the_image_when_the_window_ends(each_server: Server) -> None:
    value = ahead(said=prediction(0.3))
    assert each_server.post(value).json()["image"] == "not_yet"
    end_window(each_server, value)
    assert each_server.post(value).json() == {"id": str(value.id), "state": "queued", "image": "wanted"}


def test_late_rejection_wants_the_image_of_an_archived_sample(each_server: Server) -> None:
    value = ahead()
    each_server.post(value)
    end_window(each_server, value)
    assert each_server.post(value).json()["image"] == "not_wanted"
    each_server.say(value.id, "rejected")
    answer = each_server.ingest.post("/v1/samples/wanted", json={"ids": [str(value.id)]})
    assert answer.json() == {"wanted": [str(value.id)], "stored": []}


def test_image_that_nobody_asked_for_is_kept_all_the_same(server: Server) -> None:
    value = ahead()
    server.post(value)
    server.say(value.id, "confirmed")
    assert (put(server, value).status_code, server.sample(value.id)["image"]) == (201, "stored")


def test_exports_and_reports_pass_over_images_that_never_came(each_server: Server) -> None:
    confirmed, rejected, whole = ahead(), ahead(), sample()
    for value in (confirmed, rejected):
        each_server.post(value)
    each_server.post(whole, PHOTO)
    for value in (confirmed, whole):
        each_server.say(value.id, "confirmed")
    each_server.say(rejected.id, "rejected")
    include = frozenset({LabelSource.CONFIRMED})
    made = prepare(each_server.backend, each_server.project.id, format_name="coco", include=include, now=NOW)
    assert made.sample_ids == {whole.id}
    assert each_server.read.get("/v1/reports/quality").json()["samples"] == 3


def test_another_image_than_the_announced_one_is_409_and_names_both(server: Server) -> None:
    value = ahead()
    server.post(value)
    answer = put(server, value, jpeg(seed=9))
    assert answer.status_code == 409
    assert hashlib.sha256(PHOTO).hexdigest() in answer.json()["errors"][0]["message"]
    assert put(server, value).status_code == 201


@pytest.mark.parametrize("text", ["x" * 64, "A" * 64, "0" * 63 + " "])
def test_announced_hash_that_no_image_can_have_is_refused_at_once(server: Server, text: str) -> None:
    answer = server.post(sample(image_sha256=text))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "image_sha256")


def test_size_before_the_exif_rotation_is_refused_with_the_likely_cause(server: Server) -> None:
    image = turned(64, 48)
    value = ahead(image, said=prediction(0.9, image_size=(64, 48)))
    server.post(value)
    answer = put(server, value, image)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "prediction.image_size")
    assert "48x64 px, got 64x48 (is it the size before the EXIF rotation" in answer.text


def test_size_after_the_exif_rotation_fits(server: Server) -> None:
    image = turned(48, 64)
    value = ahead(image)
    server.post(value)
    assert put(server, value, image).status_code == 201


def test_box_beside_the_image_that_came_later_is_named(server: Server) -> None:
    outside = Box(label="pill", x_min=500.0, y_min=1.0, x_max=510.0, y_max=9.0)
    value = ahead(said=prediction(boxes=[outside], image_size=None))
    assert server.post(value).status_code == 201
    answer = put(server, value)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "prediction.boxes.0")


def test_bytes_that_are_no_image_leave_the_sample_waiting(server: Server) -> None:
    value = ahead(b"no image")
    server.post(value)
    assert put(server, value, b"no image").status_code == 422
    assert server.sample(value.id)["image"] == "not_yet"


def test_erased_sample_takes_no_image(server: Server) -> None:
    from tests.server.test_wanted import erase

    value = ahead()
    server.post(value)
    erase(server, value.id)
    assert put(server, value).status_code == 409
    assert server.sample(value.id)["image"] == "not_wanted"


def test_image_of_an_unknown_sample_is_404(server: Server) -> None:
    assert put(server, ahead()).status_code == 404
