"""Model versions: registered from a file, by name or over the wire; their references and their cards."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from queue_server import model_file, models
from queue_server.backend import Backend
from queue_server.core.model_card import Registered
from queue_server.errors import PolicyError
from queue_server.references import open_coco, pin_coco
from queue_server.reports import ModelCard, model_card, render_html, render_markdown
from queue_server.store import model_versions, references
from queue_server.store.engine import reading, writing
from tests.core.test_model_card import FILE
from tests.server.clock import Clock
from tests.server.conftest import NOW, Server, jpeg
from tests.server.test_reports import LATER, arrive, settle
from tests.server.test_slices import ALL, NIGHT, keep, night_and_day, read_slice, run

Made = Callable[[str], Clock]


def card(clock: Clock, version: str = "v1") -> ModelCard | None:
    with reading(clock.backend.engine) as session:
        return model_card(session, version, project_id=clock.project_id, now=LATER)


def register(clock: Clock, found: Registered) -> None:
    with writing(clock.backend.engine) as session:
        project = session.get_one(models.Project, clock.project_id)
        model_file.register(session, project, found, now=NOW)


def add_export(clock: Clock) -> UUID:
    export_id = uuid4()
    counts = {"items": 9, "negatives": 2, "split": {"train": 9}, "label_source": {"annotator": 9}}
    with writing(clock.backend.engine) as session:
        row = {"project_id": clock.project_id, "export_id": export_id, "format": "coco", "created_at": NOW}
        session.add(models.Export(**row, manifest={"counts": counts}))
    return export_id


def coco(folder: Path, *, images: int = 3, annotations: str = "annotations/train.json") -> Path:
    """Write a data set: a picture with two pills, and others with nothing."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(images):
        (folder / "images" / f"{number}.jpg").write_bytes(jpeg())
        rows.append({"id": number, "file_name": f"{number}.jpg", "width": 64, "height": 48})
    box = {"image_id": 0, "category_id": 1, "bbox": [1, 1, 5, 5], "iscrowd": 0}
    found = [{"id": 1, **box}, {"id": 2, **box}]
    file = folder / annotations
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"images": rows, "annotations": found, "categories": [{"id": 1, "name": "pill"}]}))
    return folder


def pin(clock: Clock, folder: Path) -> object:
    return pin_coco(clock.backend, clock.project_id, open_coco(folder), model_version="v1", now=NOW)


def test_version_that_nobody_knows_has_no_card(make: Made) -> None:
    assert card(make(ALL), "v9") is None


def test_card_of_a_version_that_has_not_come_says_so(make: Made) -> None:
    clock = make(ALL)
    register(clock, Registered(version="v1"))
    found = card(clock)
    assert (found.quality, found.slices, found.worst, found.history) == (None, [], None, [])
    text = render_markdown(found)
    assert "how good it is, is not known yet" in text
    assert "Neither an export nor a reference is known" in text


def test_card_of_a_version_that_nobody_registered_says_so(make: Made) -> None:
    clock = make(ALL)
    arrive(clock, 1)
    settle(clock)
    assert card(clock).registered is None
    assert "Nobody has registered this version" in render_markdown(card(clock))


def test_card_holds_what_is_known(make: Made, tmp_path: Path) -> None:
    clock = make(ALL)
    export_id = add_export(clock)
    register(clock, model_file.parse(f"{FILE}trained_on: {export_id}\n".replace("v8", "v1")))
    pin(clock, coco(tmp_path / "data"))
    night_and_day(clock, 20, 20)
    keep(clock, read_slice("night", where=NIGHT))
    found = card(clock)
    assert (found.export.items, found.reference.images, found.quality.annotated) == (9, 3, 40)
    assert [one.name for one in found.slices] == ["night"]
    assert [one.condition for one in found.worst.slices] == [NIGHT]
    assert [(one.model_version, one.samples) for one in found.history] == [("v1", 40)]
    pill = next(one for one in found.reference.differences if one.name == "pill")
    assert (pill.reference, pill.production) == (pytest.approx(1 / 3), 1.0)
    for text in (render_markdown(found), render_html(found)):
        for word in ("RT-DETR", "optimizer.name", str(export_id), "50.0%", "night", "images with pill", "restart"):
            assert word in text


def test_history_has_every_version_the_latest_first(make: Made) -> None:
    clock = make(ALL)
    arrive(clock, 2, version="v7")
    arrive(clock, 1, version="v8")
    settle(clock)
    found = card(clock, "v8")
    assert [(one.model_version, one.samples) for one in found.history] == [("v8", 1), ("v7", 2)]
    assert found.comparison.against == "v7"


def test_registering_again_changes_what_is_said(make: Made) -> None:
    clock = make(ALL)
    register(clock, Registered(version="v1", architecture="old"))
    register(clock, Registered(version="v1", architecture="new"))
    with reading(clock.backend.engine) as session:
        (row,) = model_versions.of_project(session, clock.project_id)
        assert model_versions.registered(row).architecture == "new"


def test_export_that_is_not_there_is_refused(make: Made) -> None:
    clock = make(ALL)
    with pytest.raises(PolicyError, match="trained_on: must be an export of pill-counter"):
        register(clock, Registered(version="v1", trained_on=uuid4()))


def test_reference_holds_what_production_is_held_against(make: Made, tmp_path: Path) -> None:
    clock = make(ALL)
    pinned = pin(clock, coco(tmp_path / "data"))
    assert (pinned.images, pinned.objects, pinned.left_out) == (3, 2, ())
    with reading(clock.backend.engine) as session:
        rows = references.rows(session, clock.project_id, "v1")
        assert references.rows(session, clock.project_id, "v2") == []
    assert [(row.file_name, row.width, row.labels, row.object_count) for row in rows] == [
        ("0.jpg", 64, {"pill": 2}, 2),
        ("1.jpg", 64, {}, 0),
        ("2.jpg", 64, {}, 0),
    ]
    assert 0.4 < rows[0].metrics["brightness"] < 0.6
    assert rows[0].metrics["object_count"] == 2.0


def test_reference_replaces_the_one_before(make: Made, tmp_path: Path) -> None:
    clock = make(ALL)
    pin(clock, coco(tmp_path / "one"))
    pin(clock, coco(tmp_path / "two", images=1))
    with reading(clock.backend.engine) as session:
        assert [row.source for row in references.of_project(session, clock.project_id)] == ["two"]
        assert len(references.rows(session, clock.project_id, "v1")) == 1


def test_training_part_alone_is_read_where_there_is_one(tmp_path: Path) -> None:
    folder = coco(tmp_path / "data")
    (folder / "annotations" / "val.json").write_text("{}")
    assert [file.name for file in open_coco(folder).files] == ["train.json"]


def test_image_that_is_not_there_is_left_out(sqlite_backend: Backend, tmp_path: Path) -> None:
    folder = coco(tmp_path / "data")
    (folder / "images" / "1.jpg").unlink()
    (folder / "images" / "2.jpg").write_bytes(b"no image")
    assert pin(Clock(sqlite_backend), folder).left_out == ("1.jpg", "2.jpg")


def test_image_outside_the_folder_is_never_read(sqlite_backend: Backend, tmp_path: Path) -> None:
    folder = coco(tmp_path / "data")
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    file = folder / "annotations" / "train.json"
    file.write_text(file.read_text().replace("1.jpg", "../secret.jpg").replace("2.jpg", str(tmp_path / "secret.jpg")))
    assert pin(Clock(sqlite_backend), folder).left_out == ("../secret.jpg", str(tmp_path / "secret.jpg"))


@pytest.mark.parametrize("content", [None, "", "[", '{"images": [], "annotations": [], "categories": []}'])
def test_folder_without_a_data_set_is_refused(sqlite_backend: Backend, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "train.json").write_text(content)
    with pytest.raises(PolicyError, match=r"DIR|train\.json"):
        pin(Clock(sqlite_backend), tmp_path)


def test_versions_and_cards_over_the_wire(each_server: Server) -> None:
    path = "/v1/model-versions/v1"
    assert each_server.read.get("/v1/model-versions").json() == {"versions": []}
    assert each_server.read.get("/v1/model-cards/v1").status_code == 404
    body = {"architecture": "RT-DETR", "metrics": {"ap": 0.6}, "deployment": ["restart"]}
    put = each_server.admin.put(path, json=body).raise_for_status().json()
    assert each_server.read.get("/v1/model-versions").json()["versions"] == [put]
    assert put["architecture"] == each_server.read.get("/v1/model-cards/v1").json()["registered"]["architecture"]
    for kind, media_type in (("markdown", "text/markdown"), ("html", "text/html")):
        answer = each_server.read.get(f"/v1/model-cards/v1/{kind}").raise_for_status()
        assert answer.headers["Content-Type"].startswith(media_type)
        assert "RT-DETR" in answer.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"trained_on": str(uuid4())}, "trained_on"),
        ({"deployment": [""]}, "deployment.0"),
        ({"metrics": {"ap": "x"}}, "metrics.ap"),
        ({"architektur": "x"}, "architektur"),
    ],
)
def test_version_that_makes_no_sense_is_refused(server: Server, body: dict[str, object], field: str) -> None:
    refused = server.admin.put("/v1/model-versions/v1", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


def test_versions_by_command(sqlite_backend: Backend, tmp_path: Path) -> None:
    clock = Clock(sqlite_backend)
    export_id = add_export(clock)
    (tmp_path / "v8.yaml").write_text(FILE)
    assert run(tmp_path, "model", "add", str(tmp_path / "v8.yaml")).stdout == "pill-counter: model version v8\n"
    run(tmp_path, "model", "add", "v8", "--trained-on", str(export_id))
    shown = json.loads(run(tmp_path, "model", "show", "v8").stdout)
    assert (shown["architecture"], shown["trained_on"]) == ("RT-DETR, ResNet-50", str(export_id))
    said = run(tmp_path, "reference", "import", "coco", str(coco(tmp_path / "data")), "--model-version", "v8").stdout
    assert said == "pill-counter: 3 images with 2 objects are the reference of v8\n"
    run(tmp_path, "model", "card", "v8", "-o", str(tmp_path / "card.md"))
    assert "Reference data: 3 images" in (tmp_path / "card.md").read_text()


def test_command_says_where_a_file_is_wrong(sqlite_backend: Backend, tmp_path: Path) -> None:
    Clock(sqlite_backend)
    (tmp_path / "v8.yaml").write_text("version: v8\nmetrics: {ap: high}\n")
    failed = run(tmp_path, "model", "add", str(tmp_path / "v8.yaml"), check=False)
    assert "Error: line 2, metrics.ap: must be a finite number, got 'high'" in failed.stderr
