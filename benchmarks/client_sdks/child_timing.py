"""Tasks that time each capture on the caller's thread."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from benchmarks.client_sdks.child_captures import await_word, captured, open_library, say, setup_of, succeeds
from benchmarks.client_sdks.figures import percentile
from benchmarks.client_sdks.libraries import LIBRARIES, Call
from benchmarks.client_sdks.tasks import Task, event_of

_WARM_UP = 50


def _different(task: Task) -> None:
    """Time captures of events that all were built before."""
    opened = open_library(task)
    _report(task, [opened.prepare(event_of(task, number)) for number in range(_WARM_UP + task.count)])


def _backlog(task: Task) -> None:
    """Capture a backlog with images, then time captures without."""
    opened = open_library(task)
    captured(replace(task, count=task.backlog, pause_seconds=0.0), opened)
    plain = replace(task, image_bytes=0)
    _report(plain, [opened.prepare(event_of(plain, number)) for number in range(_WARM_UP + task.count)])


def _same(task: Task) -> None:
    """Time captures of one event again and again."""
    _report(task, [open_library(task).prepare(event_of(task, 0))] * (_WARM_UP + task.count))


def _built(task: Task) -> None:
    """Time the building of our prediction together with its capture."""
    from benchmarks.client_sdks.ours import client, prediction_of

    looks_wrong = client(setup_of(task))

    def call_of(number: int) -> Call:
        event = event_of(task, number)
        return lambda: looks_wrong.log_prediction(None, prediction_of(event))

    _report(task, [call_of(number) for number in range(_WARM_UP + task.count)])


def _constructor(task: Task) -> None:
    """Time what opening the library costs, beyond its import."""
    begin = time.perf_counter()
    open_library(task)
    say(milliseconds=(time.perf_counter() - begin) * 1000)


def _report(task: Task, calls: Sequence[Call]) -> None:
    if not LIBRARIES[task.library].is_blocking:
        for call in calls[:_WARM_UP]:
            succeeds(call)
        time.sleep(task.settle_seconds)
    gc.collect()
    gc.freeze()  # the events that were built ahead are ours: collections in what is timed must not walk them
    say(step="ready")
    await_word()
    times, raised = _timed(calls[_WARM_UP:], pause_seconds=task.pause_seconds, limit_seconds=task.limit_seconds)
    say(
        calls=len(times),
        raised=raised,
        p50=percentile(times, 0.5) / 1000,
        p99=percentile(times, 0.99) / 1000,
        p999=percentile(times, 0.999) / 1000,
        max=max(times) / 1000,
    )
    await_word()


def _timed(calls: Sequence[Call], *, pause_seconds: float, limit_seconds: float) -> tuple[list[int], int]:
    clock, raised = time.perf_counter_ns, 0
    times: list[int] = []
    give_up_at = time.monotonic() + limit_seconds
    for call in calls:
        begin = clock()
        try:
            call()
        except Exception:  # as in `succeeds`, without the cost of one call more
            raised += 1
        times.append(clock() - begin)
        if pause_seconds:
            time.sleep(pause_seconds)
        if time.monotonic() > give_up_at:
            break
    return times, raised


TIMINGS: Mapping[str, Callable[[Task], None]] = {
    "timing": _different,
    "timing_same": _same,
    "backlog": _backlog,
    "timing_built": _built,
    "constructor": _constructor,
}
