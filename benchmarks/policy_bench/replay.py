"""Replay stored samples under another policy: how many a second, and in how much memory, however many there are."""

import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import insert

from queue_server import models, policy_file, replay
from queue_server.backend import open_backend
from queue_server.settings import Settings
from queue_server.store import projects
from queue_server.store.engine import migrate, reading, writing

#: samples a second, on one core
TARGET = 5000
#: so many are replayed for the memory that the whole history is compared with
FEW = 100_000
BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
_DAYS = 90
_CHUNK = 5000

PROJECT = """
project: pill-counter
task: detection
labels: [pill, capsule]
rules:
  - {strategy: user_rejected}
  - {strategy: disputed}
  - {strategy: unconfirmed_low_confidence, threshold: 0.6}
  - {strategy: empty, probability: 0.2}
  - {strategy: entropy, threshold: 0.9, aggregate: max, probability: 0.1}
  - {strategy: close_to_threshold, threshold: 0.5, epsilon: 0.05, probability: 0.1}
  - {strategy: count_outside, more_than: 40, fewer_than: 2}
  - {strategy: labels, any: [capsule], probability: 0.01, where: "metadata.site == 'north'"}
  - {strategy: count_disagrees}
  - {strategy: random, rate: 0.01, blind: 0.1}
"""
#: name -> the policy's file
CASES: Mapping[str, str] = {
    "ten_rules": PROJECT,
    "ten_rules_and_budgets": PROJECT + "budget: {per_day: 500, per_reporter: {per_day: 50}}\n",
    "ten_rules_a_taken_threshold_and_a_held_budget": PROJECT.replace(
        "{strategy: entropy, threshold: 0.9", "{strategy: entropy, threshold: {target_per_day: 100}"
    )
    + "budget: {per_day: 500, mode: held}\nnear_duplicates: {distance: 4}\n",
}


def replay_figures(samples: int) -> dict[str, object]:
    """Store so many samples in a SQLite database, and replay the last few and then all of them."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        fill(Path(folder), samples)
        found: dict[str, object] = {
            "samples": samples,
            "target_samples_a_second": TARGET,
            "seconds_to_store_them": round(time.perf_counter() - started, 1),
        }
        for case in CASES:
            runs = [_in_a_process(folder, case, limit) for limit in sorted({min(FEW, samples), samples})]
            found[case] = {"runs": runs, "peak_growth_mb": round(runs[-1]["peak_mb"] - runs[0]["peak_mb"], 1)}
    return found


def fill(folder: Path, samples: int) -> None:
    """Make a database of so many decided samples in a folder."""
    backend = open_backend(Settings(data_dir=folder, secret_key="s" * 32))
    migrate(backend.engine)
    with writing(backend.engine) as session:
        project = policy_file.apply(session, policy_file.parse(PROJECT), now=BEGIN).project
    assert project.id is not None
    numbers = random.Random(1)
    for first in range(0, samples, _CHUNK):
        chunk = range(first, min(samples, first + _CHUNK))
        rows = [_sample(number, samples, project.id, numbers) for number in chunk]
        with writing(backend.engine) as session:
            connection = session.connection()
            connection.execute(insert(models.Image), [_image(row, numbers) for row in rows])
            connection.execute(insert(models.Sample), rows)
            connection.execute(insert(models.Prediction), [_prediction(row, numbers) for row in rows])
            if said := [_feedback(row) for row in rows if row["verdict"] is not None]:
                connection.execute(insert(models.Feedback), said)
    backend.engine.dispose()


def _sample(number: int, samples: int, project_id: int, numbers: random.Random) -> dict[str, object]:
    received_at = BEGIN + timedelta(days=_DAYS * number / samples)
    return {
        "id": number + 1,
        "project_id": project_id,
        "sample_id": UUID(int=numbers.getrandbits(128)),
        "payload_sha256": "",
        "captured_at": received_at,
        "received_at": received_at,
        "tags": ["night"] if number % 3 else [],
        "extra": {"site": "north" if number % 2 else "south"},
        "stream": f"camera {number % 20}",
        "capture_probability": 1.0,
        "stands_for": 1,
        "image_sha256": f"{number:064x}",
        "model_version": "v1",
        "policy_version": 1,
        "state": "archived",
        "reason": "not_sampled",
        "verdict": numbers.choice(("confirmed", "confirmed", "rejected")) if numbers.random() < 0.1 else None,
        "is_disputed": False,
        "priority": 0,
        "collapsed": 0,
        "inclusion_probability": 0.01,
        "window_ends_at": received_at + timedelta(hours=24),
    }


def _image(row: Mapping[str, object], numbers: random.Random) -> dict[str, object]:
    return {
        "sha256": row["image_sha256"],
        "width": 640,
        "height": 480,
        "media_type": "image/jpeg",
        "size_bytes": 50_000,
        "perceptual_hash": numbers.getrandbits(63),
        "quality": {"brightness": numbers.random()},
        "created_at": row["received_at"],
    }


def _prediction(row: Mapping[str, object], numbers: random.Random) -> dict[str, object]:
    boxes = [
        {"label": "pill", "confidence": round(1 - numbers.random() ** 3, 3), "x_min": 9.0 * i, "y_min": 3.0}
        | {"x_max": 9.0 * i + 8.0, "y_max": 9.0}
        for i in range(numbers.choice((0, 2, 4, 4, 8, 8, 16)))
    ]
    document = {"model_version": "v1", "task": "detection", "image_size": [640, 480], "boxes": boxes}
    return {
        "sample_pk": row["id"],
        "model_version": "v1",
        "document": document,
        "payload_sha256": "",
        "is_shown": True,
        "received_at": row["received_at"],
    }


def _feedback(row: Mapping[str, object]) -> dict[str, object]:
    number = row["id"]
    assert isinstance(number, int)
    return {
        "project_id": row["project_id"],
        "feedback_id": UUID(int=number),
        "sample_id": row["sample_id"],
        "sample_pk": number,
        "payload_sha256": "",
        "verdict": row["verdict"],
        "reporter": f"reporter {number % 50}",
        "source": "key",
        "given_at": row["received_at"],
        "received_at": row["received_at"],
    }


def _in_a_process(folder: str, case: str, limit: int) -> dict[str, float]:
    """Replay in a process of its own, so that its peak of memory is its own."""
    print(f"replay {case}: {limit} samples", file=sys.stderr, flush=True)
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_replay, (folder, case, limit))


def _replay(folder: str, case: str, limit: int) -> dict[str, float]:
    backend = open_backend(Settings(data_dir=Path(folder), secret_key="s" * 32))
    with reading(backend.engine) as session:
        project = projects.all_projects(session)[0]
    file = policy_file.parse(CASES[case])
    proposed = replay.Proposed(text=file.policy, confirmation_window_seconds=file.confirmation_window_seconds)
    started, worked = time.perf_counter(), time.process_time()
    outcome = replay.run(backend, project, [proposed], span=replay.Span(limit=limit))
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    (replayed,) = outcome.replayed
    return {
        "samples": replayed.samples,
        "queued": replayed.queued_in_all,
        "seconds": round(seconds, 2),
        "samples_a_second": round(replayed.samples / seconds),
        # on a machine that others use too, what a core of one's own would do
        "samples_a_cpu_second": round(replayed.samples / work),
        "peak_mb": round(_peak_bytes() / 1e6, 1),
    }


def _peak_bytes() -> float:
    """Return the most memory that this process ever held; what getrusage says counts its parent's at the fork too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return float(line.split()[1]) * 1024.0
