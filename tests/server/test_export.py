"""Data sets over HTTP: whole, with provenance, the same again under the same id."""

import io
import json
import zipfile
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from queue_server import models
from queue_server.core.policy import State
from queue_server.store import annotations, labeling_tasks, samples
from queue_server.store.engine import writing
from tests.server.conftest import NOW, Server, apply_project, jpeg, prediction, sample

AUDITED = """
project: pill-counter
task: detection
labels: [pill, capsule]
rules: [{strategy: random, rate: 1.0}]
"""
PILL = {"label": "pill", "x_min": 1.0, "y_min": 1.0, "x_max": 9.0, "y_max": 9.0}


def annotate(server: Server, sample_id: UUID, *boxes: dict, number: int = 1, **more: object) -> None:
    """Record a finished annotation, as a pull does."""
    with writing(server.backend.engine) as session:
        row = samples.find(session, server.project.id, sample_id, for_update=True)
        values = {
            "project_id": row.project_id,
            "sample_pk": row.id,
            "label_studio_annotation_id": row.id * 100 + number,
            "annotator": "ann",
            "result": [],
            "document": {"boxes": list(boxes)} if boxes else {},
        }
        times = {"created_at": NOW, "pulled_at": NOW, "updated_at": NOW + timedelta(minutes=number)}
        annotations.record(session, models.Annotation(**(values | times | more)))
        samples.move(session, row, state=State.ANNOTATED, reason=row.reason, now=NOW)


def queued(server: Server, seed: int, **more: object) -> UUID:
    value = sample(**more)
    server.post(value, jpeg(seed=seed))
    server.say(value.id, "rejected")
    return value.id


def export(server: Server, name: str = "coco", **query: str) -> httpx.Response:
    return server.read.get(f"/v1/exports/{name}", params=query)


def opened(answer: httpx.Response) -> zipfile.ZipFile:
    assert answer.raise_for_status().headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def coco(answer: httpx.Response) -> dict[str, dict]:
    with opened(answer) as archive:
        return {split: json.loads(archive.read(f"annotations/{split}.json")) for split in ("train", "val", "test")}


def image_count(answer: httpx.Response) -> int:
    return sum(len(part["images"]) for part in coco(answer).values())


@pytest.mark.parametrize("name", ["coco", "yolo", "csv", "jsonl"])
def test_every_format_comes_with_its_images_and_manifest(server: Server, name: str) -> None:
    annotate(server, queued(server, 1), PILL)
    answer = export(server, name)
    with opened(answer) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
    assert any(path.endswith(".jpg") for path in names)
    assert manifest["export_id"] == answer.headers["X-Lookswrong-Export"]
    assert manifest["manifest"]["counts"]["items"] == 1


def test_same_content_has_the_same_id_and_the_same_bytes(server: Server) -> None:
    annotate(server, queued(server, 1), PILL)
    assert export(server).content == export(server).content


def test_nothing_found_is_an_exported_negative(server: Server) -> None:
    annotate(server, queued(server, 1))
    parts = coco(export(server))
    assert sum(len(part["images"]) for part in parts.values()) == 1
    assert sum(len(part["annotations"]) for part in parts.values()) == 0


def test_each_item_says_where_it_comes_from(server: Server) -> None:
    sample_id = queued(server, 1)
    annotate(server, sample_id, PILL)
    (image,) = [image for part in coco(export(server)).values() for image in part["images"]]
    told = {name: image[name] for name in ("sample_id", "model_version", "reason", "label_source", "annotator")}
    assert told == {
        "sample_id": str(sample_id),
        "model_version": "v1",
        "reason": "user_rejected",
        "label_source": "annotator",
        "annotator": "ann",
    }
    assert image["inclusion_probability"] == 1.0


def test_ground_truth_counts_else_the_latest_that_was_not_skipped(server: Server) -> None:
    truth, latest = queued(server, 1), queued(server, 2)
    annotate(server, truth, PILL, number=1, is_ground_truth=True)
    annotate(server, truth, number=2)
    annotate(server, latest, number=1)
    annotate(server, latest, PILL, number=2)
    annotate(server, latest, number=3, is_skipped=True)
    parts = coco(export(server))
    assert sum(len(part["annotations"]) for part in parts.values()) == 2


@pytest.mark.parametrize(("include", "count"), [("", 0), ("confirmed", 1), ("affirmed", 0), ("confirmed,affirmed", 1)])
def test_what_users_confirmed_joins_when_asked(server: Server, include: str, count: int) -> None:
    value = sample(prediction(0.9, 0.8))
    server.post(value, jpeg())
    server.say(value.id, "confirmed")
    parts = coco(export(server, include=include))
    assert sum(len(part["images"]) for part in parts.values()) == count
    assert {image["label_source"] for part in parts.values() for image in part["images"]} <= {"confirmed"}
    assert parts["test"]["images"] == []


def test_test_split_holds_audit_draws_only_and_weighs_them(server: Server) -> None:
    rejected = [queued(server, seed) for seed in range(30)]
    apply_project(server.backend, AUDITED)
    audited = [queued(server, seed) for seed in range(100, 130)]
    for sample_id in rejected + audited:
        annotate(server, sample_id, PILL)
    parts = coco(export(server))
    tested = {image["sample_id"]: image["weight"] for image in parts["test"]["images"]}
    assert tested
    assert set(tested) <= set(map(str, audited))
    assert set(tested.values()) == {1.0}
    assert not set(tested) & {image["sample_id"] for image in parts["train"]["images"]}


def test_split_of_a_group_never_changes(server: Server) -> None:
    first = [queued(server, seed, subject=f"tray {seed}") for seed in range(12)]
    for sample_id in first:
        annotate(server, sample_id, PILL)
    before = {image["sample_id"]: split for split, part in coco(export(server)).items() for image in part["images"]}
    for seed in range(12):
        annotate(server, queued(server, 100 + seed, subject=f"tray {seed}"), PILL)
    after = {image["sample_id"]: split for split, part in coco(export(server)).items() for image in part["images"]}
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)


def test_format_that_cannot_hold_the_task_is_refused_in_words(server: Server) -> None:
    text = AUDITED.replace("detection", "classification").replace("pill-counter", "cats")
    apply_project(server.backend, text)
    from queue_server.auth import Scope, make_key
    from queue_server.store import projects

    with writing(server.backend.engine) as session:
        cats = projects.find(session, "cats")
        secret_keys = server.backend.settings.secret_keys
        key = make_key(session, cats, scopes=[Scope.READ], secret_keys=secret_keys, now=NOW)
    answer = server.open.get("/v1/exports/yolo", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 422
    assert "yolo cannot hold classification" in answer.json()["errors"][0]["message"]


def test_queue_holds_what_the_export_does_not_yet(server: Server) -> None:
    sample_id = queued(server, 1)
    assert image_count(export(server)) == 0
    with writing(server.backend.engine) as session:
        row = samples.find(session, server.project.id, sample_id)
        assert labeling_tasks.of_sample(session, row.id).state == "waiting"
