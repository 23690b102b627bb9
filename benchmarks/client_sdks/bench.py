"""What a case is given: which libraries, how many of everything, where to put files, whom to tell of progress."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

from benchmarks.client_sdks.children import BenchmarkError
from benchmarks.client_sdks.figures import FAILED, Row
from benchmarks.client_sdks.libraries import LIBRARIES, OURS
from benchmarks.client_sdks.tasks import Task

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How much a run does; the defaults are those of a full run."""

    runs: int = 3
    tight: int = 20_000
    #: of a library that waits for the answer in each call
    tight_blocking: int = 1_000
    spaced: int = 2_000
    #: of a peer in the case `block`
    spaced_of_peer: int = 1_000
    spaced_with_image: int = 500
    settle_seconds: float = 1.0
    interpreters: int = 10
    memory: int = 100_000
    #: a client that waits for a minute at most between two tries gets one more
    memory_recovery_seconds: float = 75.0
    outage_events: int = 2_000
    outages_seconds: tuple[float, ...] = (20.0, 180.0)
    recovery_seconds: float = 90.0
    crash_recovery_seconds: float = 20.0
    kills: int = 60
    disk_bytes: int = 4 << 20
    exit_limit_seconds: float = 25.0
    fork_limit_seconds: float = 30.0
    late_seconds: float = 40.0
    late_recovery_seconds: float = 30.0
    backlog: int = 2_000
    uploads: int = 100


QUICK = Sizes(
    runs=1,
    tight=500,
    tight_blocking=50,
    spaced=100,
    spaced_of_peer=50,
    spaced_with_image=50,
    settle_seconds=0.3,
    interpreters=2,
    memory=2_000,
    memory_recovery_seconds=3.0,
    outage_events=50,
    outages_seconds=(2.0,),
    recovery_seconds=20.0,
    crash_recovery_seconds=5.0,
    kills=4,
    disk_bytes=1 << 20,
    exit_limit_seconds=10.0,
    fork_limit_seconds=20.0,
    late_seconds=4.0,
    late_recovery_seconds=10.0,
    backlog=100,
    uploads=100,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """One run of the benchmark."""

    libraries: Sequence[str]
    sizes: Sizes
    folder: Path
    tell: Callable[[str], None]
    #: a real server, beside the stand-in, for the case that asks what is stored
    server_url: str = ""
    server_key: str = ""
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def peers(self) -> Sequence[str]:
        """All libraries but ours."""
        return [name for name in self.libraries if name != OURS]

    @property
    def waiting_peers(self) -> Sequence[str]:
        """The peers that do not send within the call."""
        return [name for name in self.peers if not LIBRARIES[name].is_blocking]

    def task(self, action: str, library: str, url: str) -> Task:
        """Return a task with a run's name and a spool of its own."""
        number = next(self._numbers)
        return Task(
            action=action, library=library, url=url, run=f"r{number}", spool=str(self.folder / f"spool-{number}")
        )


def side_by_side(work: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Do all at once: for cases that wait, not for those that time captures."""
    with ThreadPoolExecutor(max_workers=max(len(items), 1)) as pool:
        return list(pool.map(work, items))


def attempt(work: Callable[[str], Sequence[Row]], library: str) -> Sequence[Row]:
    """Return a library's figures, or what went wrong: one that fails must not take the others with it."""
    try:
        return work(library)
    except BenchmarkError as error:
        return rows(library, **{FAILED: str(error)})


def rows(library: str, **figures: float | str | bool | None) -> list[Row]:
    """Return figures of one library as rows."""
    return [Row(library=library, figure=name, value=value) for name, value in figures.items()]
