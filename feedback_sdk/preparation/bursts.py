"""Which frames of a camera show the same scene again: they collapse into the first, which stands for them all.

Nothing here reads a clock or an image: both are given, so the same frames collapse the same way.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_sdk.errors import ValidationError

if TYPE_CHECKING:
    from feedback_sdk.spool.segment import Record

HASH_BITS = 64
#: A burst of more frames ends, and one that was held longest ends where more streams are held: memory stays bounded.
_MAX_FRAMES = 1_000
_MAX_STREAMS = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Collapse:
    """How alike, and how close in time, frames of one `stream` must be to become one sample."""

    #: bits of the 64 of their difference hashes in which two frames may differ
    distance: int = 4
    #: from the first frame of a burst to its last; the first is sent when they are over, or the scene changes
    seconds: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.distance <= HASH_BITS:
            raise ValidationError("distance", f"distance must be 0 to {HASH_BITS} bits, got {self.distance}")
        if not self.seconds > 0:
            raise ValidationError("seconds", f"seconds must be > 0, got {self.seconds}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One frame: where it lies, how it looks, and when it was captured (in seconds since 1970)."""

    record: "Record"
    stream: str
    looks: int
    captured_at: float
    stands_for: int = 1


class Burst:
    """Frames that look like the first; all their records are held until it has ended."""

    def __init__(self, first: Frame, *, ends_at: float) -> None:
        self.first = first
        #: on the caller's clock
        self.ends_at = ends_at
        self.stands_for = first.stands_for
        self.collapsed: list[Record] = []


class Bursts:
    """The open burst of each stream, and those that have ended and are not dealt with yet."""

    def __init__(self, collapse: Collapse) -> None:
        self._collapse = collapse
        self._open: dict[str, Burst] = {}  # in the order of their ends, as all last equally long
        self._ended: list[Burst] = []

    def join(self, frame: Frame) -> Burst | None:
        """Add a frame to the open burst of its stream if it belongs there, and return that burst."""
        burst = self._open.get(frame.stream)
        if burst is None or not belongs(frame, burst.first, collapse=self._collapse):
            return None
        burst.collapsed.append(frame.record)
        burst.stands_for += frame.stands_for
        if len(burst.collapsed) >= _MAX_FRAMES:
            self.end(frame.stream)
        return burst

    def begin(self, first: Frame, *, now: float) -> None:
        """Begin a burst; the one before it of the same stream ends."""
        self.end(first.stream)
        if len(self._open) >= _MAX_STREAMS:
            self.end(next(iter(self._open)))
        self._open[first.stream] = Burst(first, ends_at=now + self._collapse.seconds)

    def end(self, stream: str) -> None:
        """End the open burst of a stream, if there is one."""
        burst = self._open.pop(stream, None)
        if burst is not None:
            burst.ends_at = 0.0
            self._ended.append(burst)

    def take_ended(self, *, now: float, everything: bool = False) -> list[Burst]:
        """Hand out the bursts that have ended by `now`, or all; each once."""
        for stream in [name for name, burst in self._open.items() if everything or burst.ends_at <= now]:
            self.end(stream)
        ended = [burst for burst in self._ended if everything or burst.ends_at <= now]
        self._ended = [burst for burst in self._ended if burst not in ended]
        return ended

    def put_back(self, burst: Burst, *, until: float) -> None:
        """Hand an ended burst out again at `until`."""
        burst.ends_at = until
        self._ended.append(burst)

    def next_end(self) -> float | None:
        """Return when `take_ended` will have something, on the caller's clock."""
        first_open = next(iter(self._open.values()), None)
        ends = [burst.ends_at for burst in (first_open, *self._ended) if burst is not None]
        return min(ends, default=None)


def belongs(frame: Frame, first: Frame, *, collapse: Collapse) -> bool:
    """Return whether a frame shows what the first of a burst shows.

    The capture's own time counts: a camera's frames that waited on disk for hours are read back within a moment.
    """
    is_near = abs(frame.captured_at - first.captured_at) <= collapse.seconds
    return is_near and (frame.looks ^ first.looks).bit_count() <= collapse.distance
