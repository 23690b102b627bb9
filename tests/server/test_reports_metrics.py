"""What the samples look like, as a report: distributions, outliers, faults, labels of which there are few."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import update

from queue_server import models
from queue_server.backend import Backend
from queue_server.core.metrics import METRICS
from queue_server.core.metrics.flags import FLAGS
from queue_server.reports import MetricsReport, Narrowed, make_report
from queue_server.store.engine import reading, writing
from tests.server.clock import Clock
from tests.server.conftest import NOW, Server, jpeg, prediction
from tests.server.test_metrics import RULES, drawn

Made = Callable[[str], Clock]


def report(clock: Clock, **narrowed: object) -> MetricsReport:
    with reading(clock.backend.engine) as session:
        found = make_report(session, "metrics", project_id=clock.project_id, now=NOW, narrowed=Narrowed(**narrowed))
    assert isinstance(found, MetricsReport)
    return found


def test_project_without_samples_has_empty_figures(make: Made) -> None:
    found = report(make(RULES))
    assert (found.samples, found.labels) == (0, [])
    assert [(each.name, each.distribution) for each in found.metrics] == [(name, None) for name in METRICS]
    assert [(each.name, each.samples, each.share) for each in found.flags] == [(name, 0, None) for name in FLAGS]


def test_odd_samples_are_named_the_oddest_first(make: Made) -> None:
    clock = make(RULES)
    photo = jpeg()
    ids = [clock.arrive(prediction(*[0.9] * count), image=photo) for count in (*[1, 2, 3, 4] * 6, 8, 10)]
    figures = {each.name: each for each in report(clock).metrics}["object_count"]
    assert (figures.distribution.n, figures.distribution.median, figures.distribution.maximum) == (26, 3, 10)
    assert (figures.moderate_outliers, figures.severe_outliers) == (2, 1)
    assert figures.outliers == [ids[-1], ids[-2]]


def test_number_that_means_nothing_has_no_outliers(make: Made) -> None:
    clock = make(RULES)
    photo = jpeg()
    for _ in range(25):
        clock.arrive(prediction(0.9), image=photo)
    found = {each.name: each for each in report(clock).metrics}
    assert [found[name].moderate_outliers for name in ("random", "exact_duplicate", "grayscale")] == [0, 0, 0]


def test_faults_are_counted_and_named(make: Made) -> None:
    clock = make(RULES)
    photo = jpeg()
    ids = [clock.arrive(prediction(0.9), image=image) for image in (photo, photo)]
    ids.append(clock.arrive(None, image=jpeg(300, 10)))
    found = {each.name: each for each in report(clock).flags}
    assert (found["exact_duplicate"].samples, found["exact_duplicate"].examples) == (1, [ids[1]])
    assert (found["odd_aspect_ratio"].examples, found["odd_aspect_ratio"].share) == ([ids[2]], pytest.approx(1 / 3))


def test_labels_of_which_there_are_few_are_told(make: Made) -> None:
    clock = make(RULES)
    many, few = clock.arrive(prediction(0.9)), clock.arrive(prediction(0.9))
    drawn(clock, many, *[(i, 1, i + 1, 5) for i in range(9)])
    drawn(clock, few, (1, 1, 5, 5), label="capsule")
    with writing(clock.backend.engine) as session:
        session.connection().execute(update(models.Sample).values(state="annotated"))
    found = report(clock).labels
    assert [(each.label, each.count, each.is_undersampled) for each in found] == [
        ("pill", 9, False),
        ("capsule", 1, True),
    ]


def test_report_is_of_one_version_and_time(make: Made) -> None:
    clock = make(RULES)
    for version in ("v1", "v2", "v2"):
        clock.arrive(prediction(0.9, model_version=version))
    assert [report(clock).samples, report(clock, model_version="v2").samples, report(clock, since=NOW).samples] == [
        3,
        2,
        3,
    ]


def test_report_comes_over_the_wire(each_server: Server) -> None:
    clock = Clock(each_server.backend)
    clock.arrive(prediction(0.9))
    query = {"since": "2026-11-01T00:00:00Z"}
    found = each_server.read.get("/v1/reports/metrics", params=query).raise_for_status().json()
    assert (found["samples"], found["metrics"][0]["distribution"]["median"]) == (1, 64 * 48)
    refused = each_server.read.get("/v1/reports/metrics", params={"slice": "absent"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "slice")


def test_command_writes_the_report(sqlite_backend: Backend) -> None:
    clock = Clock(sqlite_backend)
    clock.arrive(prediction(0.9))
    names = {"LOOKSWRONG_DATA_DIR": str(sqlite_backend.settings.data_dir), "LOOKSWRONG_SECRET_KEY": "s" * 32}
    command = [sys.executable, "-m", "queue_server", "report", "metrics", "--since", "2026-11-01"]
    ran = subprocess.run(command, env=os.environ | names, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)["samples"] == 1
