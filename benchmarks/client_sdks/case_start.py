"""What a library costs before and beside its captures: import, installation, memory."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from statistics import median

from benchmarks.client_sdks.bench import Bench, attempt, rows, side_by_side
from benchmarks.client_sdks.children import child
from benchmarks.client_sdks.figures import Row
from benchmarks.client_sdks.libraries import LIBRARIES, OURS
from benchmarks.client_sdks.servers import serving

_ROOT = Path(__file__).absolute().parents[2]
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MEMORY_LIMIT_SECONDS = 240.0
#: a library that waits in each call keeps nothing: fewer calls tell the same
_BLOCKING_SHARE = 20


def start(bench: Bench) -> Sequence[Row]:
    """Measure import, constructor and installation; the interpreters take turns."""
    statements = {"": "pass", "package alone": "import feedback_sdk"}
    statements |= {name: LIBRARIES[name].statement for name in bench.libraries}
    for statement in statements.values():
        _interpreter_ms(statement)  # compiles what is not compiled yet
    bench.tell(f"start: {bench.sizes.interpreters} interpreters each")
    turns = [
        {name: _interpreter_ms(text) for name, text in statements.items()} for _ in range(bench.sizes.interpreters)
    ]
    empty = median(turn[""] for turn in turns)
    found = [
        Row(library=name, figure="import ms", value=turn[name] - empty) for turn in turns for name in bench.libraries
    ]
    found += [Row(library=OURS, figure="package alone ms", value=turn["package alone"] - empty) for turn in turns]
    with serving() as server:
        for _ in range(bench.sizes.interpreters):
            for name in bench.libraries:
                found += attempt(partial(_constructor, bench, server.url), name)
    for name in bench.libraries:
        found += _installation(name)
    return found


def _constructor(bench: Bench, url: str, library: str) -> list[Row]:
    with child(bench.task("constructor", library, url)) as one:
        return rows(library, **{"constructor ms": one.hear().number("milliseconds")})


def _interpreter_ms(statement: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, cwd=_ROOT)
    return (time.perf_counter() - begin) * 1000


def _installation(library: str) -> list[Row]:
    if library == OURS:  # a checkout; its package is what an app installs, without the server's
        files = [path for path in (_ROOT / "feedback_sdk").rglob("*") if path.suffix in (".py", ".typed")]
        size = sum(path.stat().st_size for path in files)
        return rows(library, **{"distributions": 1, "installed MB": size / 1e6})
    names = set(_needed(LIBRARIES[library].distribution, seen=set()))
    size = sum(_size_of(name) for name in names)
    return rows(library, **{"distributions": len(names), "installed MB": size / 1e6})


def _needed(name: str, *, seen: set[str]) -> Iterator[str]:
    """Yield a distribution and what it requires, as far as it is installed here; extras do not count."""
    normal = re.sub(r"[-_.]+", "-", name).lower()
    if normal in seen:
        return
    seen.add(normal)
    try:
        required = distribution(name).requires or []
    except PackageNotFoundError:
        return
    yield normal
    for requirement in required:
        if "extra ==" not in requirement and (match := _NAME.match(requirement)):
            yield from _needed(match.group(), seen=seen)


def _size_of(name: str) -> int:
    paths = [Path(str(file.locate())) for file in distribution(name).files or [] if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


def memory(bench: Bench) -> Sequence[Row]:
    """Capture many with the server refusing; then let it come back, and see what was kept."""
    bench.tell(f"memory: {bench.sizes.memory} captures, server away")
    found = side_by_side(partial(attempt, partial(_memory_of, bench)), bench.libraries)
    return [row for of_one in found for row in of_one]


def _memory_of(bench: Bench, library: str) -> list[Row]:
    with serving("refuse") as server:
        share = _BLOCKING_SHARE if LIBRARIES[library].is_blocking else 1
        task = replace(
            bench.task("memory", library, server.url),
            count=bench.sizes.memory // share,
            limit_seconds=_MEMORY_LIMIT_SECONDS,
        )
        with child(task) as one:
            one.hear("ready")
            one.tell()
            said = one.hear("captured", seconds=2 * _MEMORY_LIMIT_SECONDS)
            lines = one.log().count("\n")
            spool_bytes = sum(path.stat().st_size for path in Path(task.spool).rglob("*") if path.is_file())
            server.order("ok")
            kept = server.await_deliveries(task.run, task.count, seconds=bench.sizes.memory_recovery_seconds)
        return rows(
            library,
            **{
                "grown MB": said.number("grown_bytes") / 1e6,
                "calls": task.count,
                "raised": said.number("raised"),
                "log lines": lines,
                "disk MB": spool_bytes / 1e6,
                "arrived soon after": kept.arrived,
            },
        )
