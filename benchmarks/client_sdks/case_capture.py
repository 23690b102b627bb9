"""How long a capture holds up the caller's thread: with a healthy server, and with one in every kind of trouble."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.client_sdks.bench import Bench, attempt
from benchmarks.client_sdks.children import Said, child
from benchmarks.client_sdks.figures import Row
from benchmarks.client_sdks.libraries import LIBRARIES, OURS
from benchmarks.client_sdks.servers import serving
from benchmarks.client_sdks.tasks import IMAGE_BYTES, Task

_PAUSE_SECONDS = 0.002
_LIMIT_SECONDS = 30.0
#: of a library that waits for each answer
_BLOCKING_LIMIT_SECONDS = 10.0
_TROUBLE = ("refuse", "hang", "slow", "500", "429")
_BACKLOG_IMAGE_BYTES = 20_000
_FIGURES = ("p50", "p99", "p999", "max")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Variant:
    name: str
    action: str = "timing"
    pause_seconds: float = 0.0
    boxes: int = 1
    image_bytes: int = 0
    is_ours_alone: bool = False


_VARIANTS = (
    _Variant(name="tight"),
    _Variant(name="tight, same object", action="timing_same", is_ours_alone=True),
    _Variant(name="tight, built in the call", action="timing_built", is_ours_alone=True),
    _Variant(name="tight, 10 boxes", boxes=10, is_ours_alone=True),
    _Variant(name="tight, 100 boxes", boxes=100, is_ours_alone=True),
    _Variant(name="2 ms apart", pause_seconds=_PAUSE_SECONDS),
    _Variant(name="2 ms apart, 200 kB image", pause_seconds=_PAUSE_SECONDS, image_bytes=IMAGE_BYTES),
)


def capture(bench: Bench) -> Sequence[Row]:
    """Time captures with a healthy server; the libraries take turns."""
    found: list[Row] = []
    for turn in range(bench.sizes.runs):
        for variant in _VARIANTS:
            bench.tell(f"capture: {variant.name}, run {turn + 1}")
            for library in [OURS] if variant.is_ours_alone else bench.libraries:
                found += attempt(partial(_healthy, bench, variant), library)
    return found


def _healthy(bench: Bench, variant: _Variant, library: str) -> list[Row]:
    if variant.image_bytes and not LIBRARIES[library].takes_images:
        return [Row(library=library, figure=f"{variant.name}: {name} us", value=None) for name in _FIGURES]
    with serving() as server:
        task = replace(
            bench.task(variant.action, library, server.url),
            count=_count(bench, library, variant),
            pause_seconds=variant.pause_seconds,
            boxes=variant.boxes,
            image_bytes=variant.image_bytes,
            is_marked=False,
            settle_seconds=bench.sizes.settle_seconds,
            limit_seconds=_limit(library),
        )
        return _figures(library, variant.name, _timed(task))


def _limit(library: str) -> float:
    return _BLOCKING_LIMIT_SECONDS if LIBRARIES[library].is_blocking else _LIMIT_SECONDS


def _count(bench: Bench, library: str, variant: _Variant) -> int:
    if variant.pause_seconds:
        return bench.sizes.spaced_with_image if variant.image_bytes else bench.sizes.spaced
    if LIBRARIES[library].is_blocking:
        return bench.sizes.tight_blocking
    return max(bench.sizes.tight // max(variant.boxes // 5, 1), 100)


def block(bench: Bench) -> Sequence[Row]:
    """Time captures with a server in trouble, and while a backlog drains."""
    found: list[Row] = []
    for turn in range(bench.sizes.runs):
        for mode in _TROUBLE:
            bench.tell(f"block: {mode}, run {turn + 1}")
            for library in bench.libraries if turn == 0 else [OURS]:
                found += attempt(partial(_in_trouble, bench, mode), library)
        bench.tell(f"block: backlog, run {turn + 1}")
        for library in [OURS, *bench.waiting_peers] if turn == 0 else [OURS]:
            found += attempt(partial(_with_backlog, bench), library)
    return found


def _in_trouble(bench: Bench, mode: str, library: str) -> list[Row]:
    with serving(mode) as server:
        return _figures(library, mode, _timed(_trouble_task(bench, library, server.url)), is_trouble=True)


def _with_backlog(bench: Bench, library: str) -> list[Row]:
    """Time captures from the moment that the server is back."""
    with serving("refuse") as server:
        task = _trouble_task(bench, library, server.url)
        takes_images = LIBRARIES[library].takes_images
        backlog = replace(
            task,
            action="backlog",
            backlog=bench.sizes.backlog,
            image_bytes=_BACKLOG_IMAGE_BYTES if takes_images else 0,
        )
        with child(backlog) as one:
            one.hear("ready")
            server.order("ok")
            one.tell()
            return _figures(library, "backlog", one.hear(), is_trouble=True)


def _trouble_task(bench: Bench, library: str, url: str) -> Task:
    return replace(
        bench.task("timing", library, url),
        count=bench.sizes.spaced if library == OURS else bench.sizes.spaced_of_peer,
        pause_seconds=_PAUSE_SECONDS,
        settle_seconds=bench.sizes.settle_seconds,
        limit_seconds=_limit(library),
        is_marked=False,
    )


def _timed(task: Task) -> Said:
    with child(task) as one:
        one.hear("ready")
        one.tell()
        return one.hear()


def _figures(library: str, name: str, said: Said, *, is_trouble: bool = False) -> list[Row]:
    figures = ("p999", "max", "raised", "calls") if is_trouble else _FIGURES
    return [
        Row(
            library=library,
            figure=f"{name}: {figure}{' us' if figure in _FIGURES else ''}",
            value=said.number(figure),
        )
        for figure in figures
    ]
