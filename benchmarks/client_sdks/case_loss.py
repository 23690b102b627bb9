"""What arrives in the end, and how often: after an outage, a crash, a fork, and answers that come late."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlsplit

from benchmarks.client_sdks.bench import Bench, attempt, rows, side_by_side
from benchmarks.client_sdks.children import BenchmarkError, child
from benchmarks.client_sdks.figures import Row
from benchmarks.client_sdks.libraries import OURS
from benchmarks.client_sdks.servers import Server, serving

_SIGKILL_EVENTS = 200
_FORK_EVENTS = 100
_LATE_EVENTS = 50
#: the client's time-out, and the time that the server takes
_TIMEOUT_SECONDS, _ANSWER_SECONDS = 2.0, 3.0
_QUIET_SECONDS = 2.0


def outage(bench: Bench) -> Sequence[Row]:
    """Count what arrives of events that were captured during an outage; all outages and libraries at once."""
    pairs = [(library, seconds) for seconds in bench.sizes.outages_seconds for library in bench.libraries]
    bench.tell(f"outage: {bench.sizes.outage_events} events over {bench.sizes.outages_seconds} s, then recovery")
    found = side_by_side(lambda pair: attempt(partial(_outage, bench, pair[1]), pair[0]), pairs)
    return [row for of_one in found for row in of_one]


def _outage(bench: Bench, seconds: float, library: str) -> list[Row]:
    with serving("refuse") as server:
        events = bench.sizes.outage_events
        task = replace(
            bench.task("hold", library, server.url),
            count=events,
            pause_seconds=seconds / events,
            limit_seconds=2 * seconds,
        )
        with child(task) as one:
            one.hear("ready")
            one.tell()
            raised = one.hear("captured", seconds=3 * seconds + 60).number("raised")
            server.order("ok")
            back_at = time.monotonic()
            found = server.await_deliveries(task.run, events, seconds=bench.sizes.recovery_seconds)
        name = f"{seconds:g} s"
        figures = {f"{name}: arrived": found.arrived, f"{name}: repeats": found.repeats, f"{name}: raised": raised}
        recovered = time.monotonic() - back_at if found.arrived == events else None
        return rows(library, **figures, **{f"{name}: recovered after s": recovered, f"{name}: events": events})


def _of_all(bench: Bench, work: Callable[[Bench, str], Sequence[Row]]) -> list[Row]:
    found = side_by_side(partial(attempt, partial(work, bench)), bench.libraries)
    return [row for of_one in found for row in of_one]


def sigkill(bench: Bench) -> Sequence[Row]:
    """Count what arrives of events whose app was killed while the server was away, and started again later."""
    bench.tell(f"sigkill: {_SIGKILL_EVENTS} events")
    return _of_all(bench, _sigkill)


def _sigkill(bench: Bench, library: str) -> list[Row]:
    with serving("refuse") as server:
        task = replace(
            bench.task("hold", library, server.url), count=_SIGKILL_EVENTS, pause_seconds=0.001, limit_seconds=20.0
        )
        with child(task) as one:
            one.hear("ready")
            one.tell()
            one.hear("captured")
            one.kill()
        server.order("ok")
        with child(replace(task, action="resume", run=task.run + "again", count=1)):
            found = server.await_deliveries(task.run, _SIGKILL_EVENTS, seconds=bench.sizes.crash_recovery_seconds)
        return rows(library, arrived=found.arrived, repeats=found.repeats, events=_SIGKILL_EVENTS)


def fork(bench: Bench) -> Sequence[Row]:
    """Count what arrives of a forked child's events, and how many of the parent's arrive twice."""
    bench.tell(f"fork: {_FORK_EVENTS} events")
    return _of_all(bench, _fork)


def _fork(bench: Bench, library: str) -> list[Row]:
    with serving() as server:
        task = replace(bench.task("fork", library, server.url), count=_FORK_EVENTS)
        with child(task) as one:
            has_ended = one.ended(seconds=bench.sizes.fork_limit_seconds)
        time.sleep(_QUIET_SECONDS)
        own, parents = server.deliveries(task.run), server.deliveries(task.run + "parent")
        return rows(
            library,
            **{
                "arrived": own.arrived,
                "events": _FORK_EVENTS,
                "parent's arrived": parents.arrived,
                "parent's repeats": parents.repeats,
                "ended": has_ended,
            },
        )


def late(bench: Bench) -> Sequence[Row]:
    """Count repeated deliveries where the server takes each request but answers after the client's time-out."""
    bench.tell(f"late: {_LATE_EVENTS} events, answers after {_ANSWER_SECONDS} s, time-out {_TIMEOUT_SECONDS} s")
    found = _of_all(bench, _late)
    return [*found, *attempt(lambda _: _late_on_real_server(bench), OURS)] if bench.server_url else found


def _late(bench: Bench, library: str) -> list[Row]:
    with serving("ok") as server:
        run = _late_events(bench, library, server, upstream="")
        found, books = server.deliveries(run), server.books()
    figures = {"arrived": found.arrived, "repeats": found.repeats, "events": _LATE_EVENTS}
    if library == OURS:
        figures |= {"stored": len(books.samples), "conflicts": books.conflicts}
    return rows(library, **figures)


def _late_events(bench: Bench, library: str, server: Server, *, upstream: str) -> str:
    """Capture with late answers for a while, then with good ones; return the run's name."""
    server.order("late", late_seconds=_ANSWER_SECONDS, upstream=upstream)
    task = replace(
        bench.task("hold", library, server.url),
        api_key=bench.server_key if upstream else "",
        count=_LATE_EVENTS,
        pause_seconds=0.01,
        timeout_seconds=_TIMEOUT_SECONDS,
        limit_seconds=bench.sizes.late_seconds,
    )
    with child(task) as one:
        one.hear("ready")
        one.tell()
        with suppress(BenchmarkError):  # a library that waits for each answer is not through yet
            one.hear("captured", seconds=bench.sizes.late_seconds)
        time.sleep(bench.sizes.late_seconds / 2)
        server.order("late", upstream=upstream)
        server.await_deliveries(task.run, _LATE_EVENTS, seconds=bench.sizes.late_recovery_seconds)
        time.sleep(_QUIET_SECONDS)
    return task.run


def _late_on_real_server(bench: Bench) -> list[Row]:
    """Let the stand-in hand everything on to a real server at once and answer late; ask the server what it has."""
    parts = urlsplit(bench.server_url)
    with serving("ok") as server:
        run = _late_events(bench, OURS, server, upstream=parts.netloc)
        markers = server.deliveries(run).counts
    found = [_stored(parts.netloc, bench.server_key, tag=tag) for tag in markers]
    return rows(OURS, **{"real server: stored": sum(found), "real server: most of one": max(found, default=0)})


def _stored(netloc: str, key: str, *, tag: str) -> int:
    connection = HTTPConnection(netloc, timeout=30)
    connection.request("GET", f"/v1/samples?tag={tag}", headers={"Authorization": f"Bearer {key}"})
    with connection.getresponse() as answer:
        page = json.loads(answer.read())
    connection.close()
    return len(page["samples"])
