"""What changed since a model version's first weeks, from what is stored."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import insert
from sqlmodel import select

from queue_server import models
from queue_server.backend import Backend
from queue_server.cli import main
from queue_server.core.drift import Season
from queue_server.core.sequential import Direction
from queue_server.core.slices import read_slice
from queue_server.reports import DriftReport, Narrowed, make_report
from queue_server.reports.drift import ReferenceSource
from queue_server.store import answers, drift, drift_references, references, slices
from queue_server.store.engine import reading, writing
from tests.server.clock import Clock
from tests.server.conftest import NOW, Server, prediction

DAY = timedelta(days=1)
RULES = "  - {strategy: user_rejected}\n  - {strategy: random, rate: 0.5}\n"
Made = Callable[[str], Clock]
FIRST = NOW - 40 * DAY


@pytest.fixture
def clock(sqlite_backend: Backend) -> Clock:
    """A project on SQLite, for tests that hang on no database's ways."""
    return Clock(sqlite_backend)


def fill(clock: Clock, days: range, *, a_day: int = 20, **more: object) -> None:
    """Store samples of days since FIRST: confidence and brightness are the same mix each day, unless said otherwise."""
    with writing(clock.backend.engine) as session:
        first = len(session.exec(select(models.Sample.id)).all()) + 1
        places = [(day, place) for day in days for place in np.linspace(0, 1, a_day, endpoint=False)]
        table = [_sample(clock, day, place, pk, more) for pk, (day, place) in enumerate(places, first)]
        connection = session.connection()
        connection.execute(insert(models.Sample), [row for row, _, _ in table])
        connection.execute(insert(models.SampleMetric), [row for _, row, _ in table])
        connection.execute(insert(models.Prediction), [row for _, _, row in table])


def _sample(clock: Clock, day: int, place: float, pk: int, more: dict) -> tuple[dict, dict, dict]:
    at = FIRST + (day + place) * DAY
    sample = {
        "id": pk,
        "project_id": clock.project_id,
        "sample_id": uuid4(),
        "payload_sha256": "p",
        "captured_at": at,
        "received_at": at,
        "tags": [],
        "extra": {},
        "model_version": "v1",
        "policy_version": 1,
        "state": "archived",
        "confidence": 0.5 + place / 2,
        "window_ends_at": at + DAY,
    }
    document = {"boxes": [{"label": more.get("label", "pill")}], "task": "detection", "model_version": "v1"}
    values = {name: value for name, value in more.items() if name not in ("label", "brightness")}
    metric = {"sample_pk": pk, "project_id": clock.project_id, "measured": 1}
    metric["brightness"] = more.get("brightness", 0.0) + place
    said = {"sample_pk": pk, "model_version": "v1", "document": document, "payload_sha256": "p", "received_at": at}
    return sample | values, metric, said


def report(clock: Clock, **narrowed: object) -> DriftReport:
    with reading(clock.backend.engine) as session:
        found = make_report(session, "drift", project_id=clock.project_id, now=NOW, narrowed=Narrowed(**narrowed))
    assert isinstance(found, DriftReport)
    return found


def drifted(found: DriftReport) -> list[str]:
    return [feature.name for feature in found.features if feature.is_drifted]


def test_project_without_samples_has_no_drift(make: Made) -> None:
    found = report(make(RULES))
    assert (found.model_version, found.features, found.reference, found.is_drifted) == (None, [], None, False)


def test_version_that_has_only_begun_has_too_few_rows(clock: Clock) -> None:
    fill(clock, range(38, 40), a_day=5)
    found = report(clock)
    assert (found.reference.rows, found.current.rows, drifted(found)) == (0, 10, [])
    assert {feature.p_value for feature in found.features} == {None}


def test_stream_that_stays_has_no_drift(make: Made) -> None:
    clock = make(RULES)
    fill(clock, range(40))
    found = report(clock)
    assert (found.model_version, found.source, found.season) == (
        "v1",
        ReferenceSource.FIRST_WEEKS,
        Season.QUARTER_OF_DAY,
    )
    assert (found.reference.rows, found.current.rows, found.drifted) == (560, 140, 0)
    assert {feature.name for feature in found.features} == {"confidence", "brightness", "labels"}


def test_darker_images_are_found_and_nothing_else(clock: Clock) -> None:
    fill(clock, range(34))
    fill(clock, range(34, 40), brightness=-0.5)
    found = report(clock)
    (feature,) = [feature for feature in found.features if feature.is_drifted]
    assert (drifted(found), found.is_drifted, feature.pace) == (["brightness"], True, "sudden")
    assert feature.current_mean < feature.reference_mean


def test_metric_of_the_users_own_is_compared(clock: Clock) -> None:
    fill(clock, range(40))
    with writing(clock.backend.engine) as session:
        pks = session.exec(select(models.Sample.id).order_by(models.Sample.id)).all()
        own = [
            {"sample_pk": pk, "name": "rust", "project_id": clock.project_id, "value": float(pk > 660)} for pk in pks
        ]
        session.connection().execute(insert(models.CustomMetric), own)
    assert drifted(report(clock)) == ["custom.rust"]


def test_labels_that_changed_are_found(clock: Clock) -> None:
    fill(clock, range(33))
    fill(clock, range(33, 40), label="capsule")
    found = report(clock)
    (feature,) = [feature for feature in found.features if feature.is_drifted]
    assert (feature.labels, feature.current_histogram) == (["capsule", "pill"], [1.0, 0.0])


def test_pinned_time_is_the_reference(clock: Clock) -> None:
    fill(clock, range(20), brightness=3.0)
    fill(clock, range(20, 40))
    assert drifted(report(clock)) == ["brightness"]
    with writing(clock.backend.engine) as session:
        span = {"since": FIRST + 20 * DAY, "until": FIRST + 33 * DAY}
        for _ in range(2):
            drift_references.pin(session, clock.project_id, "v1", reference_version="v1", now=NOW, **span)
    found = report(clock)
    assert (found.source, found.reference.rows, drifted(found)) == (ReferenceSource.PINNED, 260, [])


def test_pin_may_be_of_another_version(clock: Clock) -> None:
    fill(clock, range(30))
    fill(clock, range(33, 40), model_version="v2")
    with writing(clock.backend.engine) as session:
        span = {"since": FIRST, "until": FIRST + 30 * DAY}
        drift_references.pin(session, clock.project_id, "v2", reference_version="v1", now=NOW, **span)
    found = report(clock, model_version="v2")
    assert (found.reference.model_version, found.reference.rows, found.current.rows) == ("v1", 600, 140)


def test_training_images_may_be_the_reference(make: Made) -> None:
    clock = make(RULES)
    fill(clock, range(40))
    image = {"file_name": "1.jpg", "width": 4, "height": 3, "labels": {"pill": 2}, "object_count": 2}
    images = [image | {"metrics": {"brightness": 5 + place}} for place in np.linspace(0, 1, 150)]
    with writing(clock.backend.engine) as session:
        references.pin(session, clock.project_id, "v1", source="set", images=images, now=NOW)
        drift_references.pin(session, clock.project_id, "v1", reference_version="v1", since=None, until=None, now=NOW)
    found = report(clock)
    assert (found.source, found.reference.rows, found.season) == (ReferenceSource.TRAINING, 150, Season.NONE)
    assert drifted(found) == ["brightness"]


def test_burst_of_a_camera_is_one_row(clock: Clock) -> None:
    fill(clock, range(39, 40), a_day=24 * 60 * 4, stream="door")
    assert report(clock).current.rows == 24 * 60


def test_duplicates_and_what_was_erased_do_not_count(make: Made) -> None:
    clock = make(RULES)
    fill(clock, range(40))
    fill(clock, range(39, 40), a_day=5, duplicate_of=1, brightness=9.0)
    fill(clock, range(39, 40), a_day=5, reason="erased", brightness=9.0)
    assert report(clock).current.rows == 140


def test_sample_counts_by_the_chance_with_which_it_was_captured(clock: Clock) -> None:
    fill(clock, range(33))
    fill(clock, range(33, 40), capture_probability=0.1, brightness=1.0)
    fill(clock, range(33, 40), a_day=40)
    (feature,) = [found for found in report(clock).features if found.name == "brightness"]
    assert feature.current_mean == pytest.approx((20 * 10 * (0.475 + 1) + 40 * 0.4875) / 240)
    assert feature.current_n < 420


def test_of_very_many_rows_whole_minutes_are_read(make: Made) -> None:
    clock = make(RULES)
    fill(clock, range(1), a_day=2880)
    stretch = drift.Stretch(project_id=clock.project_id, model_version="v1", since=FIRST, until=FIRST + DAY)
    with reading(clock.backend.engine) as session:
        found = drift.rows(session, stretch, ["brightness", "confidence"], most=1000)
    minutes = np.unique(found.captured_at // 60)
    assert len(found.captured_at) == 2 * len(minutes)
    assert len(minutes) == pytest.approx(480, abs=48)
    # scattered: a rhythm in the traffic is neither always met nor never
    assert (minutes % 2).mean() == pytest.approx(0.5, abs=0.1)
    assert not np.isnan(found.numbers["brightness"]).any()


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"count": 3}, {}),
        ({"boxes": []}, {"(nothing)": 1}),
        (
            {"boxes": [{"label": "a"}, {"label": "a"}], "masks": [{"label": "b"}, {"label": "c"}]},
            {"a": 0.5, "b": 0.25, "c": 0.25},
        ),
        ({"classes": {"a": 0.2, "b": 0.8}}, {"b": 1}),
        ({"classes": {"a": 0.6, "b": 0.8, "c": 0.1}, "multi_label": True}, {"a": 0.5, "b": 0.5}),
        ({"classes": {"a": 0.1}, "multi_label": True}, {"(nothing)": 1}),
    ],
    ids=["a count", "no object", "objects", "classes", "several classes", "no class"],
)
def test_prediction_has_its_labels_in_parts(document: dict, parts: dict) -> None:
    assert drift.label_parts(document) == pytest.approx(parts)


def test_slice_narrows_both_windows(make: Made) -> None:
    clock = make(RULES)
    fill(clock, range(40))
    fill(clock, range(33, 40), stream="door", brightness=5.0)
    with writing(clock.backend.engine) as session:
        slices.keep(session, clock.project_id, read_slice("sure", where="confidence >= 0.75"), now=NOW)
    found = report(clock, slice="sure")
    assert (found.reference.rows, found.current.rows, drifted(found)) == (280, 140, ["brightness"])


def test_rejections_that_rose_are_told_with_the_day(make: Made) -> None:
    clock = make(RULES)
    fill(clock, range(30), a_day=30, verdict="confirmed")
    fill(clock, range(30), a_day=5, verdict="rejected")
    fill(clock, range(30, 40), a_day=30, verdict="rejected")
    found = report(clock)
    change = found.rejection_rate.change
    assert (change.direction, change.since, change.before) == (
        Direction.ROSE,
        (FIRST + 30 * DAY).date(),
        pytest.approx(1 / 7),
    )
    assert (found.rejection_rate.reference.value, found.rejection_rate.n) == (pytest.approx(1 / 7), 341)
    assert found.response_rate.change is None
    assert len(found.rejection_rate.days) == 40  # the last day's samples are in their window


def test_rate_of_nobody_cannot_be_told(clock: Clock) -> None:
    fill(clock, range(40), a_day=2)
    found = report(clock)
    assert (found.rejection_rate.reference, found.rejection_rate.since_reference, found.rejection_rate.n) == (
        None,
        None,
        0,
    )
    assert found.response_rate.days[0].value == 0


def test_late_answer_is_no_answer(make: Made) -> None:
    clock = make("  - {strategy: user_rejected}\n")
    late, changed, in_time = (clock.arrive(prediction(0.9), now=FIRST, captured_at=FIRST) for _ in range(3))
    clock.say(in_time, "rejected", now=FIRST)
    clock.say(changed, "confirmed", now=FIRST)
    for sample_id in (late, changed):
        clock.say(sample_id, "rejected", now=FIRST + 2 * DAY)
    stretch = drift.Stretch(project_id=clock.project_id, model_version="v1", since=FIRST, until=NOW)
    with reading(clock.backend.engine) as session:
        (day,) = answers.by_day(session, stretch, now=NOW)
        assert answers.by_day(session, stretch, now=FIRST) == []
    assert (day.day, day.samples, day.answered, day.objected) == (FIRST.date(), 3, 2, 1)


def test_report_comes_over_the_wire(each_server: Server) -> None:
    clock = Clock(each_server.backend)
    fill(clock, range(40))
    found = each_server.read.get("/v1/reports/drift", params={"model_version": "v1"}).raise_for_status().json()
    assert (found["model_version"], found["false_alarms_a_year"], found["drifted"]) == ("v1", 0.05, 0)
    refused = each_server.read.get("/v1/reports/drift", params={"slice": "none"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "slice")


@pytest.fixture
def run(sqlite_backend: Backend, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command on a database with a project."""
    Clock(sqlite_backend)
    environment = os.environ | {"LOOKSWRONG_DATA_DIR": str(tmp_path), "LOOKSWRONG_SECRET_KEY": "s" * 32}

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        line = (sys.executable, "-m", "queue_server", *words)
        return subprocess.run(line, env=environment, check=False, capture_output=True, text=True)

    return command


def test_reference_is_pinned_and_listed(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    pinned = run("drift", "pin", "--model-version", "v2", "--since", "2026-10-01", "--until", "2026-10-20")
    assert (pinned.returncode, pinned.stdout[:22]) == (0, "v2 is held against v2,")
    assert "2026-10-01 00:00 to 2026-10-20 00:00 UTC" in run("drift", "list").stdout


def test_pin_is_taken_away_once(make: Made) -> None:
    clock = make(RULES)
    with writing(clock.backend.engine) as session:
        drift_references.pin(session, clock.project_id, "v1", reference_version="v1", since=FIRST, until=NOW, now=NOW)
        assert [drift_references.unpin(session, clock.project_id, "v1") for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--since", "2026-10-20", "--until", "2026-10-01"], "must be before --until"),
        (["--since", "2026-10-20"], "either --training or both"),
        (["--training", "--since", "2026-10-20"], "either --training or both"),
    ],
    ids=["ends before it begins", "no end", "both"],
)
def test_pin_of_no_time_is_refused(words: list[str], why: str) -> None:
    refused = CliRunner().invoke(main, ["drift", "pin", "--model-version", "v2", *words])
    assert (refused.exit_code, why in refused.output) == (2, True)


def test_command_writes_the_report(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert json.loads(run("report", "drift", "--since", "7d").stdout)["features"] == []
