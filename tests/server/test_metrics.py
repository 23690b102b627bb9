"""Metrics of samples as columns: kept when something of a sample comes, filtered, sorted and read in bulk."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Float, select

from queue_server import models
from queue_server.core.metrics import METRICS, VERSION
from queue_server.ingest.samples import take_image, take_prediction
from queue_server.store import measuring, metrics
from queue_server.store.engine import reading, writing
from tests.server.clock import Clock
from tests.server.conftest import NOW, Server, jpeg, prediction, sample
from tests.server.test_reports import annotate

DAY = timedelta(days=1)
RULES = "  - {strategy: random, rate: 1.0}\n"
Made = Callable[[str], Clock]


def values(clock: Clock, sample_id: object) -> dict[str, float]:
    with reading(clock.backend.engine) as session:
        return metrics.of_sample(session, clock.sample(sample_id).id)


def drawn(clock: Clock, sample_id: object, *boxes: tuple[float, ...], label: str = "pill") -> None:
    """Let an annotator have drawn boxes, and the metrics be kept as a pull keeps them."""
    names = ("x_min", "y_min", "x_max", "y_max")
    document = {"boxes": [{"label": label} | dict(zip(names, box, strict=True)) for box in boxes]}
    annotate(clock, [sample_id], document=document)
    with writing(clock.backend.engine) as session:
        measuring.keep_changed(session, session.get_one(models.Sample, clock.sample(sample_id).id))


def test_table_has_a_column_for_each_metric() -> None:
    columns = models.SampleMetric.__table__.columns
    found = [column.name for column in columns if isinstance(column.type, Float)]
    assert found == list(METRICS)


def test_sample_is_measured_as_it_comes(make: Made) -> None:
    clock = make(RULES)
    found = values(clock, clock.arrive(prediction(0.9, 0.5)))
    assert (found["area"], found["object_count"], found["exact_duplicate"]) == (64 * 48, 2, 0)
    assert 0.4 < found["brightness"] < 0.6
    assert "annotated_count" not in found


def test_sample_without_a_prediction_has_its_images_metrics(make: Made) -> None:
    clock = make(RULES)
    found = values(clock, clock.arrive(None))
    assert "brightness" in found
    assert "object_count" not in found


def test_same_bytes_are_a_duplicate_of_the_earlier_sample(make: Made) -> None:
    clock = make(RULES)
    photo = jpeg()
    found = [values(clock, clock.arrive(prediction(0.9), image=photo)) for _ in range(2)]
    assert [each["exact_duplicate"] for each in found] == [0, 1]
    assert [each["near_duplicate"] for each in found] == [0, 0]


def test_other_bytes_that_look_the_same_are_a_near_duplicate(make: Made) -> None:
    clock = make(RULES)
    photo = jpeg(seed=5)
    ids = [clock.arrive(prediction(0.9), image=image) for image in (photo, photo + b"\0")]
    assert [values(clock, each)["near_duplicate"] for each in ids] == [0, 1]


def test_other_projects_pictures_are_no_duplicates(sqlite_backend: object) -> None:
    photo = jpeg()
    head = "task: detection\nlabels: [pill]\nrules:\n" + RULES
    clocks = [Clock(sqlite_backend, f"project: {name}\n{head}") for name in ("one", "other")]
    found = [values(clock, clock.arrive(prediction(0.9), image=photo)) for clock in clocks]
    assert [each["exact_duplicate"] for each in found] == [0, 0]


def test_image_that_comes_later_is_measured_then(server: Server) -> None:
    clock = Clock(server.backend)
    said = prediction(0.9, image_size=None)
    sample_id = UUID(server.post(sample(said)).json()["id"])
    assert "brightness" not in values(clock, sample_id)
    take_image(server.backend, clock.project_id, sample_id, image=jpeg(), now=NOW)
    assert {"brightness", "frame_density"} <= set(values(clock, sample_id))


def test_first_prediction_of_a_sample_is_measured_and_a_shadow_is_not(make: Made) -> None:
    clock = make(RULES)
    sample_id = clock.arrive(None)
    for version, said in (("v1", prediction(0.9)), ("v2", prediction(0.9, 0.9))):
        later = prediction(*[0.9] * len(said.boxes), model_version=version)
        take_prediction(clock.backend, clock.project_id, sample_id, prediction=later, now=NOW)
    assert values(clock, sample_id)["object_count"] == 1


def test_annotation_is_measured_and_a_deleted_one_is_forgotten(make: Made) -> None:
    clock = make(RULES)
    sample_id = clock.arrive(prediction(0.9))
    drawn(clock, sample_id, (8, 6, 24, 18), (8, 6, 24, 18))
    found = values(clock, sample_id)
    assert (found["annotated_count"], found["annotated_area_percent"], found["duplicate_overlap"]) == (2, 6.25, 1)
    with writing(clock.backend.engine) as session:
        session.connection().execute(models.Annotation.__table__.update().values(deleted_at=NOW))
        measuring.keep_changed(session, session.get_one(models.Sample, clock.sample(sample_id).id))
    assert "annotated_count" not in values(clock, sample_id)


def test_samples_are_filtered_and_sorted_by_metrics(make: Made) -> None:
    clock = make(RULES)
    ids = [clock.arrive(prediction(*[0.9] * count)) for count in (3, 1, 2)]
    count = metrics.column("object_count")
    query = metrics.join(select(models.Sample.sample_id)).where(count >= 2).order_by(count)
    with reading(clock.backend.engine) as session:
        assert list(session.connection().execute(query).scalars()) == [ids[2], ids[0]]


def test_samples_are_filtered_by_metrics_of_the_users_own(make: Made) -> None:
    clock = make(RULES)
    ids = [clock.arrive(prediction(0.9)) for _ in range(3)]
    with writing(clock.backend.engine) as session:
        for value, sample_id in zip((3.0, 5.0), ids, strict=False):
            row = clock.sample(sample_id)
            measuring.keep_custom(session, row, {"glare": value}, seen=0, custom_set=1)
    query = metrics.join(select(models.Sample.sample_id)).where(metrics.column("custom.glare") > 4)
    with reading(clock.backend.engine) as session:
        assert list(session.connection().execute(query).scalars()) == [ids[1]]
        found = metrics.values(session, clock.project_id, ["custom.glare", "area"])
        assert metrics.names(session, clock.project_id) == (*METRICS, "custom.glare")
    assert found["custom.glare"] == pytest.approx([3.0, 5.0, np.nan], nan_ok=True)
    assert found["area"].tolist() == [3072.0] * 3


def test_bulk_goes_by_time_and_version(make: Made) -> None:
    clock = make(RULES)
    for days, version in ((3, "v1"), (2, "v1"), (2, "v2"), (1, "v1")):
        clock.arrive(prediction(0.9, model_version=version), captured_at=NOW - days * DAY)
    with reading(clock.backend.engine) as session:
        found = metrics.values(
            session, clock.project_id, ["area"], since=NOW - 2 * DAY, until=NOW - DAY, model_version="v1"
        )
        assert len(found["area"]) == 1
        assert len(metrics.values(session, clock.project_id, ["area"], since=NOW)["area"]) == 0


def test_metric_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be one of area, .*, or custom.NAME, got 'beauty'"):
        metrics.column("beauty")


def test_what_is_measured_is_of_these_definitions(make: Made) -> None:
    clock = make(RULES)
    clock.arrive(prediction(0.9))
    with reading(clock.backend.engine) as session:
        assert measuring.count_unmeasured(session, clock.project_id) == 0
        assert session.connection().execute(select(models.Image.measured)).scalar_one() == VERSION
