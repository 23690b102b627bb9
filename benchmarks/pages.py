"""Measure the pages on a long history in PostgreSQL: the server's time for the overview and the queue; print JSON.

    python benchmarks/pages.py --json figures.json
    python benchmarks/pages.py --json - --samples 20000 --requests 5

Needs PostgreSQL's programs, as the tests do. Progress goes to standard error; benchmarks/README.md says what the
figures mean.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import structlog
from flask import Flask

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from benchmarks.pages_bench.filling import fill
from queue_server.app import create_app
from queue_server.auth import Scope, make_key
from queue_server.backend import Backend, open_backend
from queue_server.reports import snapshots
from queue_server.settings import Settings
from queue_server.store import projects
from queue_server.store.engine import writing
from tests import servers

#: milliseconds of the server, at the 95th percentile
TARGET_MS = 200.0

#: name -> the page
PAGES: Mapping[str, str] = {
    "overview": "/",
    "queue_of_what_waits": "/queue",
    "queue_by_priority": "/queue?filtered=1&state=queued&state=pushed&sort=-priority",
    "queue_of_all_by_brightness": "/queue?filtered=1&sort=brightness",
    "queue_of_annotated_by_sharpness": "/queue?filtered=1&state=annotated&sort=-sharpness",
    "queue_of_a_reason_by_confidence": "/queue?filtered=1&reason=user_rejected&sort=confidence",
    "queue_of_a_version_and_tag": "/queue?filtered=1&model_version=v2&tag=night",
    "queue_of_a_range_of_two_figures": "/queue?filtered=1&figure=brightness&low=0.2&high=0.4&figure=entropy&low=0.5",
    "queue_of_a_condition": "/queue?filtered=1&where=metadata.site+%3D%3D+'north'&sort=-entropy",
    "queue_second_page": "/queue?filtered=1&sort=brightness&after=0.3:1000",
}


def main() -> int:
    """Run the benchmark; 1 where a page is slower than it should be."""
    given = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with servers.postgresql() as cluster, cluster.new_database() as url, tempfile.TemporaryDirectory() as folder:
        backend = open_backend(Settings(data_dir=Path(folder), database_url=url, secret_key="s" * 32))
        print(f"filling: {given.samples} samples", file=sys.stderr, flush=True)
        project_id, seconds = fill(backend, url, samples=given.samples)
        report = _machine() | {"samples": given.samples, "annotations": given.samples // 10}
        report["fill_seconds"] = round(seconds, 1)
        report["worker_seconds"] = _snapshots(backend, project_id)
        report["pages"] = _measure(backend, project_id, requests=given.requests)
        backend.engine.dispose()
    slowest = max(page["p95_ms"] for page in report["pages"].values())  # type: ignore[attr-defined]  # made above
    report |= {"target_p95_ms": TARGET_MS, "slowest_p95_ms": slowest, "holds": slowest <= TARGET_MS}
    text = json.dumps(report, indent=2) + "\n"
    sys.stdout.write(text) if given.json == "-" else Path(given.json).write_text(text)
    return 0 if report["holds"] else 1


def _machine() -> dict[str, object]:
    return {
        "benchmark": "pages",
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_at_start": round(os.getloadavg()[0], 2),
        },
    }


def _snapshots(backend: Backend, project_id: int) -> dict[str, float]:
    """Make the figures that a worker makes, and return what each took."""
    print("a worker's figures", file=sys.stderr, flush=True)
    snapshots.make_due(backend, every=timedelta(days=1))
    return {name: round(seconds, 2) for name, seconds in snapshots.seconds_taken(backend, project_id).items()}


def _measure(backend: Backend, project_id: int, *, requests: int) -> dict[str, dict[str, float]]:
    with writing(backend.engine) as session:
        project = projects.get(session, project_id)
        secrets = backend.settings.secret_keys
        key = make_key(session, project, scopes=[Scope.ADMIN], secret_keys=secrets, now=datetime.now(UTC))
    app = create_app(backend)
    found = {}
    for name, path in PAGES.items():
        for _ in range(2):
            _milliseconds(app, path, key)
        spent = time.process_time()
        times = [_milliseconds(app, path, key) for _ in range(requests)]
        spent = time.process_time() - spent
        found[name] = {
            "p50_ms": round(float(np.percentile(times, 50)), 1),
            "p95_ms": round(float(np.percentile(times, 95)), 1),
            "python_cpu_ms": round(1000 * spent / requests, 1),
        }
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    return found


def _milliseconds(app: Flask, path: str, key: str) -> float:
    """Return how long the server takes to answer, without a network."""
    with app.test_client() as client:
        started = time.perf_counter()
        answer = client.get(path, headers={"Authorization": f"Bearer {key}"})
        taken = time.perf_counter() - started
    assert answer.status_code == 200, f"{path} must be answered 200, got {answer.status_code}"
    return 1000 * taken


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, metavar="FILE", help="where the figures go; -: standard output")
    parser.add_argument("--samples", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--requests", type=int, default=40, metavar="N", help="of each page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
