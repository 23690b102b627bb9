"""What processes count for Prometheus: requests, jobs, decisions, work in Label Studio.

With a folder to share (`PROMETHEUS_MULTIPROC_DIR`, which `serve`, `web` and `worker` set) all processes of a machine
count together. A process writes to the files of its slot, the first that no living process holds, and goes on from
what it finds there: counts survive whoever made them, and there are never more files than there were processes at once.
"""

import fcntl
import functools
import itertools
import os
import struct
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_KINDS = ("counter", "histogram")
#: what a file starts with: the bytes in use, and room that is really there, as a mapped file on a full disk would kill
_EMPTY = struct.pack("i", 8).ljust(1 << 18, b"\0")
#: a lock is held as long as its descriptor is open
_held: list[int] = []


def _slot() -> int:
    return _slot_of(os.getpid())


@functools.cache
def _slot_of(_pid: int) -> int:
    """Take a slot; a forked child asks anew, as its process id is another."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    for slot in itertools.count():
        lock = os.open(folder / f"slot_{slot}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _held.append(lock)
        for kind in _KINDS:
            _mend(folder / f"{kind}_{slot}.db")
        return slot
    raise AssertionError("there is always another number")


def _mend(file: Path) -> None:
    """Start a file that is not there, or that a power cut left half written: a count is not worth a failing start."""
    with suppress(FileNotFoundError, struct.error, RuntimeError, UnicodeDecodeError):
        list(MmapedDict.read_all_values_from_file(str(file)))  # type: ignore[no-untyped-call]  # it has no types
        return
    draft = file.with_suffix(".new")
    draft.write_bytes(_EMPTY)
    draft.replace(file)


def _start() -> None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        values.ValueClass = values.MultiProcessValue(_slot)  # type: ignore[no-untyped-call]  # as above


_start()
_registry = CollectorRegistry()

REQUESTS = Counter(
    "lookswrong_http_requests", "Requests answered", ["method", "endpoint", "status"], registry=_registry
)
REQUEST_SECONDS = Histogram(
    "lookswrong_http_request_seconds",
    "How long requests took",
    ["method", "endpoint"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    registry=_registry,
)
DECISIONS = Counter("lookswrong_decisions", "Decisions on samples", ["project", "state", "reason"], registry=_registry)
JOBS = Counter("lookswrong_jobs", "The worker's jobs that ended", ["job", "outcome"], registry=_registry)
JOB_SECONDS = Histogram(
    "lookswrong_job_seconds",
    "How long the worker's jobs took",
    ["job"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0),
    registry=_registry,
)
LABEL_STUDIO = Counter(
    "lookswrong_label_studio", "What pushes and pulls did, by kind", ["project", "job", "kind"], registry=_registry
)
LABEL_STUDIO_FAILURES = Counter(
    "lookswrong_label_studio_failures",
    "Pushes and pulls that Label Studio broke off",
    ["project", "job"],
    registry=_registry,
)


def registry() -> CollectorRegistry:
    """Return what to show: the counts of all processes that share a folder, else of this one."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return _registry
    shown = CollectorRegistry()
    MultiProcessCollector(shown, path=folder)  # type: ignore[no-untyped-call]  # as above
    return shown
