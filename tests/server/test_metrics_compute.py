"""The job that measures what is not measured: old samples, metrics of the user's own, those beside others."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from queue_server import models
from queue_server.backend import Backend
from queue_server.blobs import Blobs
from queue_server.core.metrics import VERSION
from queue_server.errors import BlobError, SettingsError
from queue_server.metrics import Computed, compute, relate
from queue_server.plugins import custom_metrics
from queue_server.store import measuring, metrics
from queue_server.store.engine import writing
from tests.server.clock import Clock
from tests.server.conftest import jpeg, prediction
from tests.server.test_metrics import RULES, drawn, values

NOBODY_THERE = "http://127.0.0.1:9/"
Made = Callable[[str], Clock]

OWN = """
import os, signal
from pathlib import Path

CALLS = Path(__file__).with_name("calls")

def glare(image):
    return image.max()

def objects(prediction):
    return len(prediction.boxes)

def drawn(annotation):
    return len(annotation.boxes)

def broken(prediction):
    return 1 / 0

def word(prediction):
    return "many"

def stops(prediction):
    with CALLS.open("a") as file:
        file.write("x")
    if CALLS.stat().st_size == 20:
        os.kill(os.getpid(), getattr(signal, os.environ["SIGNAL"]))
    return 1
"""


def own(folder: Path, *names: str) -> str:
    """Write a file of metrics and return the setting that names some of them."""
    (folder / "own.py").write_text(OWN)
    return ",".join(f"{folder / 'own.py'}:{name}" for name in names)


def with_own(clock: Clock, *names: str) -> Backend:
    """Return the backend of a process that has these metrics."""
    backend = clock.backend
    settings = backend.settings.model_copy(update={"custom_metrics": own(backend.settings.data_dir, *names)})
    return Backend(settings=settings, engine=backend.engine, blobs=backend.blobs)


def make_old(clock: Clock) -> None:
    """Leave the samples as a program without metrics leaves them."""
    with writing(clock.backend.engine) as session:
        session.connection().execute(delete(models.SampleMetric))
        session.connection().execute(update(models.Image).values(quality=None, perceptual_hash=None, measured=0))


def test_project_without_samples_has_nothing_to_measure(make: Made) -> None:
    clock = make(RULES)
    assert compute(clock.backend, clock.project_id) == Computed()
    assert relate(clock.backend, clock.project_id) == 0


def test_old_samples_are_measured_once_and_as_new_ones_are(make: Made) -> None:
    clock = make(RULES)
    ids = [clock.arrive(prediction(0.9)) for _ in range(18)]
    expected = values(clock, ids[17])
    make_old(clock)
    told: list[tuple[int, int]] = []
    runs = [compute(clock.backend, clock.project_id, say=lambda done, total: told.append((done, total))) for _ in "12"]
    assert [run.measured for run in runs] == [18, 0]
    assert told == [(16, 18), (18, 18)]
    assert values(clock, ids[17]) == expected


def test_older_definitions_are_measured_again(make: Made) -> None:
    clock = make(RULES)
    sample_id = clock.arrive(prediction(0.9))
    with writing(clock.backend.engine) as session:
        session.connection().execute(update(models.SampleMetric).values(measured=VERSION - 1, entropy=9.0))
    assert compute(clock.backend, clock.project_id).measured == 1
    assert values(clock, sample_id)["entropy"] < 1


def test_image_that_is_gone_is_told_and_stops_nothing(sqlite_backend: Backend) -> None:
    clock = Clock(sqlite_backend)
    ids = [clock.arrive(prediction(0.9)) for _ in range(2)]
    make_old(clock)
    name = clock.sample(ids[0]).image_sha256
    (sqlite_backend.settings.data_dir / "blobs" / name[:2] / name).unlink()
    found = compute(sqlite_backend, clock.project_id)
    assert (found.measured, found.unreadable) == (2, 1)
    assert ["brightness" in values(clock, sample_id) for sample_id in ids] == [False, True]
    assert compute(sqlite_backend, clock.project_id) == Computed()


def test_image_store_that_does_not_answer_ends_the_run_and_nothing_counts_as_measured(sqlite_backend: Backend) -> None:
    clock = Clock(sqlite_backend)
    clock.arrive(prediction(0.9))
    make_old(clock)
    away = Backend(settings=sqlite_backend.settings, engine=sqlite_backend.engine, blobs=Blobs(NOBODY_THERE))
    with pytest.raises(BlobError):
        compute(away, clock.project_id)
    assert compute(sqlite_backend, clock.project_id).measured == 1


def test_workers_at_once_measure_each_sample_once(make: Made) -> None:
    clock = make(RULES)
    for _ in range(40):
        clock.arrive(prediction(0.9))
    make_old(clock)
    with ThreadPoolExecutor(3) as workers:
        runs = list(workers.map(lambda _: compute(clock.backend, clock.project_id), range(3)))
    assert sum(run.measured for run in runs) == 40


def test_run_ends_at_its_deadline(sqlite_backend: Backend) -> None:
    clock = Clock(sqlite_backend)
    clock.arrive(prediction(0.9))
    make_old(clock)
    assert compute(sqlite_backend, clock.project_id, deadline=0.0).measured == 0


def test_metrics_of_the_users_own_look_at_what_they_ask_for(make: Made) -> None:
    clock = make(RULES)
    sample_id = clock.arrive(prediction(0.9, 0.8))
    backend = with_own(clock, "glare", "objects", "drawn")
    assert compute(backend, clock.project_id).custom == {"glare": 1, "objects": 1}
    drawn(clock, sample_id, (1, 1, 5, 5))
    assert compute(backend, clock.project_id).custom == {"glare": 1, "objects": 1, "drawn": 1}
    found = values(clock, sample_id)
    assert (found["custom.objects"], found["custom.drawn"], found["custom.glare"]) == (2, 1, 255)


def test_new_metric_is_asked_of_old_samples_and_the_others_are_not_again(make: Made) -> None:
    clock = make(RULES)
    clock.arrive(prediction(0.9))
    compute(with_own(clock, "objects"), clock.project_id)
    assert compute(with_own(clock, "objects", "glare"), clock.project_id).custom == {"glare": 1}
    clock.arrive(prediction(0.9))
    assert compute(with_own(clock, "objects", "glare"), clock.project_id).custom == {"objects": 1, "glare": 1}


def test_metric_that_raises_is_told_and_stops_nothing(make: Made) -> None:
    clock = make(RULES)
    for _ in range(2):
        clock.arrive(prediction(0.9))
    backend = with_own(clock, "broken", "word", "objects")
    found = compute(backend, clock.project_id)
    assert (found.custom, found.failed) == ({"objects": 2}, {"broken": 2, "word": 2})
    assert found.errors["broken"] == "ZeroDivisionError: division by zero"
    assert found.errors["word"] == "ValueError: must return a number, got str"
    assert compute(backend, clock.project_id) == Computed()


def test_metric_that_was_mended_is_asked_again_where_it_raised(make: Made) -> None:
    clock = make(RULES)
    clock.arrive(prediction(0.9))
    backend = with_own(clock, "broken", "objects")
    compute(backend, clock.project_id)
    with writing(backend.engine) as session:
        gone = [
            measuring.forget_custom(session, clock.project_id, name, is_failed_only=True)
            for name in ("broken", "objects")
        ]
    assert gone == [1, 0]
    assert compute(backend, clock.project_id).failed == {"broken": 1}


def run(backend: Backend, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a backend's data."""
    names = {"LOOKSWRONG_DATA_DIR": str(backend.settings.data_dir), "LOOKSWRONG_SECRET_KEY": "s" * 32}
    command = [sys.executable, "-m", "queue_server", "metrics", *arguments]
    return subprocess.run(command, env=os.environ | names | more, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("sent", "code"), [("SIGKILL", -signal.SIGKILL), ("SIGINT", 130)])
def test_run_that_was_stopped_goes_on_where_it_was(sqlite_backend: Backend, sent: str, code: int) -> None:
    clock = Clock(sqlite_backend)
    for _ in range(24):
        clock.arrive(prediction(0.9))
    setting = {"LOOKSWRONG_CUSTOM_METRICS": own(sqlite_backend.settings.data_dir, "stops"), "SIGNAL": sent}
    stopped = run(sqlite_backend, "compute", **setting)
    again = run(sqlite_backend, "compute", "--json", "-", **setting)
    assert (stopped.returncode, again.returncode) == (code, 0)
    assert json.loads(again.stdout)["pill-counter"]["custom"] == {"stops": 8}
    # The first batch of 16 was kept; of the second, 4 were asked in vain.
    assert len((sqlite_backend.settings.data_dir / "calls").read_text()) == 16 + 4 + 8


def test_command_tells_its_progress_and_rate(sqlite_backend: Backend) -> None:
    clock = Clock(sqlite_backend)
    clock.arrive(prediction(0.9))
    make_old(clock)
    ran = run(sqlite_backend, "compute")
    assert "pill-counter: 1 of 1 (100%), " in ran.stderr
    assert " a second, 0 s to go" in ran.stderr
    assert "pill-counter: 1 samples measured" in ran.stderr


def test_metrics_of_a_package_are_found_by_their_entry_point(sqlite_backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "own_metrics.py").write_text(OWN)
    about = tmp_path / "own_metrics-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-metrics\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[lookswrong.metrics]\nshine = own_metrics:glare\n")
    listed = run(sqlite_backend, "list", PYTHONPATH=str(tmp_path)).stdout.splitlines()
    assert listed[-1].split() == ["custom.shine", "image", "-", "your", "own"]
    assert len(listed) == len(metrics.METRICS) + 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("absent.py:glare", r"absent.py:glare must be path.py:function of a file that is there, got 'absent.py'"),
        ("{}:absent", r"must hold a function 'absent', got none"),
        ("{}:CALLS", r"must be a function, got PosixPath"),
        ("{0}:glare,{0}:glare", r"must have a name of its own, 'glare' is taken"),
        ("{}:os", r"must be a function, got module"),
    ],
)
def test_setting_that_is_wrong_is_refused_with_its_part(tmp_path: Path, setting: str, message: str) -> None:
    own(tmp_path)
    with pytest.raises(SettingsError, match=message):
        custom_metrics(setting.format(tmp_path / "own.py"))


@pytest.mark.parametrize(
    ("text", "message"),
    [("def m(photo): ...", "must take one of image, prediction, annotation"), ("def m(:", "SyntaxError")],
)
def test_file_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.py").write_text(text)
    with pytest.raises(SettingsError, match=message):
        custom_metrics(f"{tmp_path / 'm.py'}:m")


def test_embeddings_tell_what_is_new_and_which_label_fits(make: Made) -> None:
    clock = make(RULES)
    places = [*([1.0, 0.01 * i, 0.0] for i in range(6)), [0.0, 0.0, 1.0]]
    ids = [clock.arrive(prediction(0.9), embedding=place, image=jpeg()) for place in places]
    for sample_id in ids[:6]:
        drawn(clock, sample_id, (1, 1, 5, 5), label="pill" if sample_id != ids[2] else "capsule")
    with writing(clock.backend.engine) as session:
        session.connection().execute(
            update(models.Sample).where(models.Sample.id <= 6).values(state="annotated")  # type: ignore[operator]  # it has an id
        )
    assert relate(clock.backend, clock.project_id) == 7
    found = [values(clock, sample_id) for sample_id in ids]
    assert (found[6]["novelty"], found[6]["diversity"] > 0.5) == (pytest.approx(0.99875, abs=0.002), True)
    assert [each.get("label_quality") for each in found] == [0.8, 0.8, 0.0, 0.8, 0.8, 0.8, None]


def test_frames_of_a_stream_are_held_against_each_other(make: Made) -> None:
    clock = make(RULES)
    frames = [[(1, 1, 9, 9)], [], [(1, 1, 9, 9)]]
    ids = [clock.arrive(prediction(0.9), stream="belt", image=jpeg()) for _ in frames]
    for sample_id, boxes in zip(ids, frames, strict=True):
        drawn(clock, sample_id, *boxes)
    with writing(clock.backend.engine) as session:
        session.connection().execute(update(models.Sample).values(state="annotated"))
    relate(clock.backend, clock.project_id)
    assert [values(clock, each).get("missing_object") for each in ids] == [None, 1, None]
