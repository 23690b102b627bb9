"""The figures that alerts watch, from what is stored."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from queue_server.backend import Backend, open_backend
from queue_server.core.alerts import FigureNow, Status
from queue_server.errors import FigureError
from queue_server.ingest.due import decide_due
from queue_server.reports import Narrowed, make_report
from queue_server.reports.figures import Asked, FigureReader
from queue_server.settings import Settings
from queue_server.store.engine import reading
from tests.server.alerts import Watched
from tests.server.conftest import NOW, prediction
from tests.server.test_reports import annotate

DAY = timedelta(days=1)
LATER = NOW + 2 * DAY


def read(watched: Watched, figure: str, **more: object) -> FigureNow:
    with reading(watched.backend.engine) as session:
        return FigureReader(session, watched.project_id, now=LATER).read(Asked(figure=figure, **more)).figure


def settle(watched: Watched) -> None:
    while decide_due(watched.backend, now=LATER):
        pass


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Watched]:
    """Ten samples, of which users objected to three, confirmed two and left five; annotators agree with one of them.

    Tests only read it.
    """
    folder = tmp_path_factory.mktemp("watched")
    shutil.copy(migrated_file, folder / "lookswrong.db")
    backend = open_backend(Settings(data_dir=folder, secret_key="s" * 32))
    yield filled(Watched(backend))
    backend.engine.dispose()


def filled(found: Watched) -> Watched:
    ids = [found.arrive(prediction(0.9)) for _ in range(10)]
    for sample_id in ids[:3]:
        found.say(sample_id, "rejected")
    for sample_id in ids[3:5]:
        found.say(sample_id, "confirmed")
    annotate(found, ids[:2], right=False)
    annotate(found, ids[2:3])
    settle(found)
    return found


def test_users_figures_stand_on_those_who_answered(watched: Watched) -> None:
    rejection, response = read(watched, "rejection_rate"), read(watched, "response_rate")
    assert (rejection.value, rejection.n, response.value, response.n) == (0.6, 5, 0.5, 10)
    assert rejection.low < 0.6 < rejection.high


def test_samples_are_those_that_came_in_the_stretch(watched: Watched) -> None:
    assert (read(watched, "samples").value, read(watched, "samples", over_seconds=3 * 86_400.0).value) == (0.0, 10.0)


def test_accuracy_is_that_of_the_report(watched: Watched) -> None:
    found = read(watched, "accuracy")
    with reading(watched.backend.engine) as session:
        report = make_report(session, "quality", project_id=watched.project_id, now=LATER, narrowed=Narrowed())
    said = report.versions[0].accuracy
    assert (found.value, found.low, found.high, found.n) == (said.value, said.low, said.high, said.n)


@pytest.mark.parametrize("figure", ["exact_count", "count_bias", "f1", "unfinished"])
def test_figures_of_the_task_have_their_names(watched: Watched, figure: str) -> None:
    assert read(watched, figure).value is not None


def test_change_of_accuracy_is_that_from_the_version_before(watched: Watched, sqlite_backend: Backend) -> None:
    assert read(watched, "accuracy_change").value is None
    both = Watched(sqlite_backend)
    for version, is_right in (("v1", False), ("v2", True)):
        sample_id = both.arrive(prediction(0.9, model_version=version))
        both.say(sample_id, "rejected")
        annotate(both, [sample_id], right=is_right)
    settle(both)
    found = read(both, "accuracy_change")
    assert (found.value, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 1)


def test_version_that_is_named_is_read_alone(watched: Watched) -> None:
    assert read(watched, "accuracy", model_version="v9").value is None
    assert read(watched, "response_rate", model_version="v9").value is None
    assert read(watched, "response_rate", model_version="v1").value == 0.5


def test_queue_tells_how_long_the_oldest_waits(watched: Watched) -> None:
    assert read(watched, "queue.backlog").value == 3.0
    assert read(watched, "queue.age_seconds").value == 2 * 86_400.0


def test_decision_that_nobody_took_is_overdue(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend)
    watched.arrive(prediction(0.9))
    assert read(watched, "queue.overdue_seconds").value == 86_400.0


def test_mean_of_a_metric_comes_with_its_interval(watched: Watched) -> None:
    found = read(watched, "metric.brightness")
    assert (found.n, 0 < found.low < found.value < found.high < 1) == (10, True)
    assert read(watched, "metric.custom.gloss").value is None


def test_metric_of_one_sample_tells_too_little(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, "{name: long, figure: metric.brightness, above: 0.01, over: 7d}")
    assert read(watched, "metric.brightness").value is None
    watched.arrive(prediction(0.9))
    watched.look(LATER)
    assert (watched.alert().figure.n, watched.alert().figure.value, watched.status(LATER)) == (1, None, Status.QUIET)


def test_drift_of_too_few_samples_is_none(watched: Watched) -> None:
    assert (read(watched, "drift.features").value, read(watched, "rejection_change").value) == (0.0, None)


def test_figure_that_is_none_is_refused(watched: Watched) -> None:
    with pytest.raises(FigureError, match="mood must be one of accuracy"):
        read(watched, "mood")


@pytest.mark.parametrize(("wrong_in", "status"), [(5, Status.QUIET), (1, Status.FIRING)])
def test_alert_on_accuracy_waits_until_the_interval_says_so(
    sqlite_backend: Backend, wrong_in: int, status: Status
) -> None:
    watched = Watched(sqlite_backend, "{name: long, figure: accuracy, below: 0.9}", rate=0.5)
    ids = [watched.arrive(prediction(0.9)) for _ in range(24)]
    drawn = [sample_id for sample_id in ids if watched.task(sample_id) is not None]
    annotate(watched, drawn[::wrong_in], right=False)
    annotate(watched, [sample_id for sample_id in drawn if sample_id not in drawn[::wrong_in]])
    settle(watched)
    watched.look(LATER)
    # 0.8 of some twelve is below 0.9, and may well be chance.
    assert (watched.alert().figure.value < 0.9, watched.status(LATER)) == (True, status)
