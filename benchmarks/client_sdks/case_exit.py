"""How long a program takes to end after its last line, with events pending and a server in trouble."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from benchmarks.client_sdks.bench import Bench, attempt, side_by_side
from benchmarks.client_sdks.children import BenchmarkError, child
from benchmarks.client_sdks.figures import Row, Value
from benchmarks.client_sdks.libraries import OURS
from benchmarks.client_sdks.servers import serving

_EVENTS = 100
_MODES = ("refuse", "hang", "slow", "500", "429")


def leave(bench: Bench) -> Sequence[Row]:
    """Time the exit: ours alone and several times, the peers of one mode at once, since they only wait."""
    found: list[Row] = []
    for mode in _MODES:
        bench.tell(f"exit: {mode}")
        work = partial(attempt, partial(_exit, bench, mode))
        for of_one in [work(OURS) for _ in range(bench.sizes.runs)] + side_by_side(work, bench.peers):
            found += of_one
    return found


def _exit(bench: Bench, mode: str, library: str) -> list[Row]:
    with serving(mode) as server:
        task = replace(
            bench.task("exit", library, server.url), count=_EVENTS, limit_seconds=bench.sizes.exit_limit_seconds
        )
        with child(task) as one:
            one.hear("ready")
            one.tell()
            try:
                said_at = one.hear("captured", seconds=bench.sizes.exit_limit_seconds).number("at")
            except BenchmarkError:
                return _row(library, mode, "still in its calls")
            if not one.ended(seconds=bench.sizes.exit_limit_seconds):
                return _row(library, mode, f">= {bench.sizes.exit_limit_seconds:g}")
            return _row(library, mode, time.monotonic() - said_at)


def _row(library: str, mode: str, value: Value) -> list[Row]:
    return [Row(library=library, figure=f"{mode}: s", value=value)]
