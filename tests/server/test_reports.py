"""How good a model is, from what is stored: samples as they stood at their windows' end."""

import csv
import io
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from feedback_sdk.types import Prediction, Task
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.model_quality import Observation, strata, version_quality
from queue_server.ingest.due import decide_due
from queue_server.ingest.requests import request_sample
from queue_server.ingest.samples import take_prediction
from queue_server.reports import Narrowed, QualityReport, make_report, strata_csv
from queue_server.store import condensed, quality
from queue_server.store.engine import reading, writing
from tests.server.clock import Clock
from tests.server.conftest import NOW, Server, jpeg, prediction

DAY = timedelta(days=1)
LATER = NOW + 2 * DAY
RULES = "  - {strategy: user_rejected}\n  - {strategy: random, rate: 0.5}\n"
Made = Callable[[str], Clock]
_NUMBERS = itertools.count(1)


def annotate(clock: Clock, ids: Sequence[UUID], *, right: bool = True, annotator: str = "ben", **more: object) -> None:
    """Let an annotator have finished those of the samples that have a labeling task."""
    for sample_id in ids:
        row = clock.sample(sample_id)
        if clock.task(sample_id) is None:
            continue
        with writing(clock.backend.engine) as session:
            values = {
                "project_id": clock.project_id,
                "sample_pk": row.id,
                "label_studio_annotation_id": next(_NUMBERS),
                "annotator": annotator,
                "created_at": NOW,
                "updated_at": NOW,
                "pulled_at": NOW,
                "result": [],
                "document": {"boxes": []},
                "model_difference": {"kept": 1} if right else {"removed": 1},
            }
            session.add(models.Annotation(**(values | more)))


def settle(clock: Clock) -> None:
    while decide_due(clock.backend, now=LATER):
        pass


def report(clock: Clock, **narrowed: object) -> QualityReport:
    with reading(clock.backend.engine) as session:
        return make_report(session, "quality", project_id=clock.project_id, now=LATER, narrowed=Narrowed(**narrowed))


def arrive(clock: Clock, count: int, *, version: str = "v1", **more: object) -> list[UUID]:
    return [clock.arrive(prediction(0.9, model_version=version), **more) for _ in range(count)]


def test_project_without_samples_has_no_figures(make: Made) -> None:
    found = report(make(RULES))
    assert (found.samples, found.versions, found.comparison) == (0, [], None)


def test_stream_is_estimated_from_the_few_that_were_annotated(make: Made) -> None:
    clock = make(RULES)
    bad, good = arrive(clock, 5), arrive(clock, 40)
    for sample_id in bad:
        clock.say(sample_id, "rejected")
    settle(clock)
    annotate(clock, bad, right=False)
    annotate(clock, good)
    (found,) = report(clock).versions
    assert (found.samples, found.unfinished) == (45, 0)
    assert found.accuracy.value == pytest.approx(40 / 45)
    assert 0.7 < found.accuracy.low < 40 / 45 <= found.accuracy.high
    assert (found.users.value, found.users.bias) == (0.0, pytest.approx(-40 / 45))


def test_sample_in_its_window_does_not_count_yet(make: Made) -> None:
    clock = make(RULES)
    arrive(clock, 1, now=LATER)
    assert report(clock).versions == []


def test_figures_go_by_when_a_sample_was_captured(make: Made) -> None:
    clock = make(RULES)
    arrive(clock, 3, captured_at=NOW - 40 * DAY)
    arrive(clock, 2)
    settle(clock)
    assert [found.samples for found in report(clock).versions] == [2]
    assert [found.samples for found in report(clock, since=NOW - 50 * DAY).versions] == [5]


def test_late_rejection_changes_neither_the_verdict_nor_the_draw(make: Made) -> None:
    clock = make("  - {strategy: user_rejected}\n  - {strategy: random, rate: 0.000001}\n")
    (late, _) = ids = arrive(clock, 2)
    settle(clock)
    clock.say(late, "rejected", now=LATER - DAY / 2)
    annotate(clock, ids, right=False)
    assert (clock.sample(late).verdict, clock.sample(late).inclusion_probability) == ("rejected", 1.0)
    (found,) = report(clock).versions
    assert (found.users.n, found.annotated, found.accuracy.value, found.accuracy.low) == (0, 0, None, 0.0)


def test_sample_that_a_person_asked_for_counts_through_the_audit_alone(make: Made) -> None:
    clock = make("  - {strategy: random, rate: 0.000001}\n")
    (asked,) = arrive(clock, 1)
    request_sample(clock.backend, clock.project_id, asked, reason="looks odd", now=NOW)
    settle(clock)
    annotate(clock, [asked], right=False)
    (found,) = report(clock).versions
    assert (found.queue.n, found.annotated, found.accuracy.value) == (1, 0, None)


def test_task_that_nobody_finished_may_be_right_or_wrong(make: Made) -> None:
    clock = make(RULES)
    ids = arrive(clock, 4)
    for sample_id in ids:
        clock.say(sample_id, "rejected")
    settle(clock)
    annotate(clock, ids[:3], right=False)
    (found,) = report(clock).versions
    assert (found.accuracy.value, found.accuracy.low, found.accuracy.high, found.unfinished) == (0.0, 0.0, 0.25, 1)


def test_annotation_of_the_same_bytes_serves_their_duplicates(make: Made) -> None:
    clock = make("  - {strategy: user_rejected}\n")
    picture = jpeg()
    first, second = (clock.arrive(prediction(0.9), image=picture) for _ in range(2))
    clock.say(first, "rejected")
    clock.say(second, "rejected")
    settle(clock)
    assert clock.end(second) == ("archived", "duplicate")
    annotate(clock, [first], right=False)
    (found,) = report(clock).versions
    assert (found.annotated, found.unfinished, found.accuracy.value) == (2, 0, 0.0)


@pytest.mark.parametrize("field", ["is_skipped", "deleted_at"])
def test_what_was_skipped_or_deleted_says_nothing(make: Made, field: str) -> None:
    clock = make(RULES)
    (sample_id,) = arrive(clock, 1)
    clock.say(sample_id, "rejected")
    settle(clock)
    annotate(clock, [sample_id], **{field: True if field == "is_skipped" else NOW})
    assert report(clock).versions[0].annotated == 0


def test_boxes_are_held_against_the_annotators(make: Made) -> None:
    clock = make(RULES)
    said = prediction(0.9, 0.8, image_size=(128, 96))
    sample_id = clock.arrive(said)  # its image has half that size
    clock.say(sample_id, "rejected")
    settle(clock)
    box = {"label": "pill", "x_min": 1.0, "y_min": 1.5, "x_max": 3.0, "y_max": 4.5}
    annotate(clock, [sample_id], document={"boxes": [box]}, model_difference={"kept": 1, "removed": 1})
    figures = {figure.name: figure.value for figure in report(clock).versions[0].figures}
    assert (figures["precision"], figures["recall"], figures["count_bias"]) == (0.5, 1.0, 1.0)


def test_latest_version_is_compared_with_the_one_before(make: Made) -> None:
    clock = make("  - {strategy: random, rate: 1.0}\n")
    older, newer = arrive(clock, 30, version="v7"), arrive(clock, 30, version="v8")
    settle(clock)
    annotate(clock, [*older[:15], *newer])
    annotate(clock, older[15:], right=False)
    found = report(clock)
    assert [version.model_version for version in found.versions] == ["v8", "v7"]
    assert (found.comparison.value, found.comparison.is_paired) == (0.5, False)
    assert found.comparison.sentence == "v8 beats v7 by 50.0 ± 0.0 points"


def test_shadow_is_compared_on_the_same_samples(make: Made) -> None:
    clock = make("  - {strategy: random, rate: 1.0}\n")
    ids = arrive(clock, 30, version="v7")
    for sample_id in ids:
        shadow = Prediction(model_version="v8", task="detection", image_size=(64, 48), boxes=[])
        take_prediction(clock.backend, clock.project_id, sample_id, prediction=shadow, now=NOW)
    arrive(clock, 1, version="v8")
    settle(clock)
    annotate(clock, ids, right=False)  # there is nothing in these pictures
    found = report(clock).comparison
    assert (found.is_paired, found.n, found.value, found.low) == (True, (30, 30), 1.0, 1.0)


def test_people_who_looked_at_the_same_agree_or_not(make: Made) -> None:
    clock = make(RULES)
    ids = arrive(clock, 2)
    for sample_id in ids:
        clock.say(sample_id, "rejected")
    clock.say(ids[0], "confirmed", reporter="eve")
    settle(clock)
    annotate(clock, ids)
    annotate(clock, ids[:1], annotator="zoe", document={"boxes": [], "count": 3})
    annotate(clock, ids[1:], annotator="zoe")
    found = report(clock)
    assert (found.annotators.units, found.annotators.agreement) == (2, 0.5)
    assert (found.reporters.units, found.reporters.agreement) == (1, 0.0)


def test_file_of_strata_reproduces_the_accuracy(make: Made) -> None:
    clock = make("  - {strategy: user_rejected, probability: 0.9}\n  - {strategy: random, rate: 0.5}\n")
    bad, good = arrive(clock, 20), arrive(clock, 60)
    for sample_id in bad:
        clock.say(sample_id, "rejected")
    settle(clock)
    annotate(clock, [*bad, *good[:10]], right=False)
    annotate(clock, good[10:])
    with reading(clock.backend.engine) as session:
        text = strata_csv(session, Narrowed(), project_id=clock.project_id, now=LATER)
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["share"]]
    weights = [float(row["stratum_weight"]) for row in rows]
    value = sum(weight * float(row["share"]) for weight, row in zip(weights, rows, strict=True)) / sum(weights)
    assert [row["samples"] for row in rows] == ["20", "60"]
    assert report(clock).versions[0].accuracy.value == pytest.approx(value)


def test_name_of_a_version_is_no_formula(make: Made) -> None:
    clock = make(RULES)
    arrive(clock, 1, version="=1+1")
    settle(clock)
    with reading(clock.backend.engine) as session:
        text = strata_csv(session, Narrowed(), project_id=clock.project_id, now=LATER)
    assert text.splitlines()[1].startswith("'=1+1,")


def test_reports_come_over_the_wire(each_server: Server) -> None:
    clock = Clock(each_server.backend)
    ids = arrive(clock, 2, now=NOW - 9 * DAY, captured_at=NOW - 9 * DAY)
    settle(clock)
    since = {"since": (NOW - 20 * DAY).isoformat()}
    found = each_server.read.get("/v1/reports/quality", params=since).raise_for_status().json()
    assert (found["samples"], found["versions"][0]["samples"], found["comparison"]) == (2, len(ids), None)
    other = each_server.read.get("/v1/reports/quality", params=since | {"model_version": "v9"}).json()
    assert other["versions"] == []


@pytest.mark.parametrize("name", ["quality", "strata"])
def test_query_that_is_no_time_is_refused(server: Server, name: str) -> None:
    refused = server.read.get(f"/v1/reports/{name}", params={"since": "yesterday"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "since")


def test_strata_come_as_csv(server: Server) -> None:
    answer = server.read.get("/v1/reports/strata")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.text.startswith("model_version,stratum,through,samples,")


def test_command_writes_the_report_and_its_strata(sqlite_backend: Backend, tmp_path: Path) -> None:
    clock = Clock(sqlite_backend)
    arrive(clock, 2, now=NOW - 9 * DAY, captured_at=NOW - 9 * DAY)
    settle(clock)
    file = tmp_path / "strata.csv"
    command = (
        sys.executable,
        "-m",
        "queue_server",
        "report",
        "quality",
        "--since",
        "2026-11-01",
        "--strata",
        str(file),
    )
    environment = os.environ | {"LOOKSWRONG_DATA_DIR": str(tmp_path), "LOOKSWRONG_SECRET_KEY": "s" * 32}
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert [found["samples"] for found in json.loads(ran.stdout)["versions"]] == [2]
    assert len(file.read_text().splitlines()) == 2


def varied(clock: Clock, count: int = 60) -> None:
    """Let samples of all kinds come: of two versions, sure and unsure, objected to, kept by the app one time in two."""
    for number in range(count):
        said = prediction(0.3 + 0.01 * number, model_version=f"v{number % 2}")
        seen = clock.arrive(said, stands_for=1 + number % 3, capture_probability=1.0 if number % 5 else 0.5)
        if number % 4 == 0:
            clock.say(seen, "rejected" if number % 8 else "confirmed")
        if number == 7:
            clock.say(seen, "rejected", now=LATER - DAY / 2)
        if number % 3 == 0:
            annotate(clock, [seen], right=number % 2 == 0)
    settle(clock)


def test_samples_that_chance_passed_over_say_the_same_together_as_one_by_one(make: Made) -> None:
    clock = make("  - {strategy: user_rejected}\n  - {strategy: random, rate: 0.2}\n")
    varied(clock)
    wanted = quality.Matured(project_id=clock.project_id, task=Task.DETECTION, now=LATER)
    with reading(clock.backend.engine) as session:
        each = list(quality.observations(session, wanted))
        together = condensed.by_version(session, wanted)
    assert sum(map(len, together.values())) < len(each)
    for version, found in together.items():
        alone = [one for one in each if one.model_version == version]
        assert figures_of(found) == pytest.approx(figures_of(alone), nan_ok=True)


def figures_of(found: Sequence[Observation]) -> list[float]:
    """Return every number of a report on the accuracy."""
    made = version_quality(found, task=Task.DETECTION)
    cells = [number for stratum in strata(found) for number in astuple(stratum.cell)]
    shares = [made.accuracy, made.hajek, made.queue, made.objections_right, made.confirmations_right, *made.figures]
    known = [made.samples, made.stands_for, made.unreachable, *cells, *astuple(made.users)]
    return [math.nan if one is None else float(one) for one in known + [n for s in shares for n in astuple(s)[1:]]]


def test_twelve_numbers_of_coco_stand_on_what_was_annotated(make: Made) -> None:
    clock = make(RULES.replace("0.5", "1.0"))
    found, missed = arrive(clock, 2)
    settle(clock)
    same = [{"label": "pill", "x_min": 2.0, "y_min": 3.0, "x_max": 6.0, "y_max": 9.0}]
    annotate(clock, [found], document={"boxes": same})
    annotate(clock, [missed], right=False, document={"boxes": [same[0] | {"y_min": 20.0, "y_max": 40.0}]})
    with reading(clock.backend.engine) as session:
        (version,) = make_report(session, "coco", project_id=clock.project_id, now=LATER).versions
    assert (version.model_version, version.annotated) == ("v1", 2)
    assert (version.figures.ar_100, version.figures.ap_large) == (0.5, None)


def test_audits_tell_how_far_annotators_follow_what_they_are_shown(make: Made) -> None:
    clock = make("  - {strategy: random, rate: 1.0, blind: 0.5}\n")
    ids = arrive(clock, 40)
    settle(clock)
    blind = [sample_id for sample_id in ids if clock.task(sample_id).is_blind]
    same = {"boxes": [asdict(box) for box in prediction(0.9).boxes]}
    annotate(clock, [sample_id for sample_id in ids if sample_id not in blind], document=same)
    annotate(clock, blind, is_blind=True)
    found = report(clock).anchoring
    assert (found.shown.value, found.shown.n) == (1.0, 40 - len(blind))
    assert (found.blind.value, found.blind.n) == (0.0, len(blind))
    assert 0.5 < found.low < found.value == 1.0
