"""The disk spool: what the app captured, until the server has it.

Each process appends to segments of its own and adopts those of the dead, so processes share a folder without waiting
for each other. Any thread appends; one thread hands out and acknowledges; one more syncs, measures and makes room.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from time import monotonic, time, time_ns
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

from feedback_sdk.drops import Drop, DropReason
from feedback_sdk.errors import SpoolError
from feedback_sdk.spool import eviction
from feedback_sdk.spool.quarantine import Quarantine, noun
from feedback_sdk.spool.segment import Head, Kind, Record, Segment
from feedback_sdk.spool.segments import Segments
from feedback_sdk.spool.waiting import Prepared, Waiting, id_text, sweep

_MAX_SEGMENT_BYTES = 16 << 20
_MAX_DEFERRED = 1000
#: Room is made from the first on, until the second is reached: in percent of the bound.
_HIGH_PERCENT, _LOW_PERCENT = 80, 70
#: A spool that nothing can go from is not scanned again and again.
_FRUITLESS_SECONDS = 10.0
_SWEEP_SECONDS = 3600.0


#: where a record lies: segment, start, end
_Place: TypeAlias = tuple[Segment, int, int]


class SpoolFullError(SpoolError):
    """The spool holds as many bytes as it may."""


class Mark(NamedTuple):
    """A moment of a spool: the end of each segment, by its number."""

    ends: Mapping[int, int]


def state_folder(*, url: str, kid: str) -> Path:
    """Return the user's folder for one server and key: what one app spooled never goes to another's project.

    Its name begins with the server's part, so that the folders of one server stand together.
    """
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library/Application Support"
    else:
        root = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return root / "lookswrong" / f"{sha256(_canonical(url).encode()).hexdigest()[:16]}-{kid}"


def _canonical(url: str) -> str:
    """Return one spelling of a server's URL: what reaches the same server must lie in the same folder.

    >>> _canonical("HTTPS://Example.com:443/lw/")
    'https://example.com/lw'
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # with a transport of its own an app may call its server what it likes
        return url
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    is_usual = port is None or port == {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{user}{at}{host}{'' if is_usual else f':{port}'}{parts.path.rstrip('/')}"


class Spool:
    """A bounded queue of records on disk, read in the order of their segments."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        max_age_seconds: float,
        on_drop: Callable[[Drop], None],
        syncs_each_record: bool = False,
        has_hook: bool = False,
    ) -> None:
        self.folder = folder
        self.waiting = Waiting(folder / "waiting", on_drop=on_drop)
        self._prepared = Prepared(folder / "prepared")
        self._quarantine = Quarantine(folder)
        self._max_bytes = max_bytes
        self._high_bytes = max_bytes * _HIGH_PERCENT // 100
        self._low_bytes = max_bytes * _LOW_PERCENT // 100
        # Space comes back by whole segments, so a small spool has small ones.
        self._segment_bytes = min(_MAX_SEGMENT_BYTES, max(max_bytes // 8, 1))
        self._segments = Segments(folder, segment_bytes=self._segment_bytes, syncs=syncs_each_record, has_hook=has_hook)
        self._max_age_seconds = max_age_seconds
        self._on_drop = on_drop
        self._sweep_at = 0.0
        self._begin()
        self.measure()

    def _begin(self) -> None:
        """Set what belongs to one process: nothing of it outlives a fork."""
        #: rings when an append passes the high-water mark
        self.needs_room = threading.Event()
        self.accepted = 0
        self._has_rung = False
        self._evict_at = 0.0
        self._again: deque[_Place] = deque()
        self._deferred: list[tuple[float, int, _Place]] = []
        self._turn = count()

    @property
    def lock(self) -> "threading.RLock":
        """Return what is held for an append; a fork takes it, so that no child inherits half a record."""
        return self._segments.lock

    @property
    def used_bytes(self) -> int:
        """Return the bytes of the whole folder, by the last count and what came since."""
        return self._segments.used_bytes

    def append(self, kind: Kind, sample_id: bytes, text: bytes, payload: bytes | memoryview = b"") -> None:
        """Store a record; it survives the process from here on. Raise SpoolError where it cannot be stored."""
        size = len(text) + len(payload)
        segments = self._segments
        with segments.lock:
            if segments.used_bytes + size > self._high_bytes:
                self._ring(size)
            segment = segments.active
            if segment is None or segment.size + size > self._segment_bytes:
                segment = segments.open()
            total = segment.append(
                kind, text, sample_id=sample_id, payload=payload, accepted_at_ms=time_ns() // 1_000_000
            )
            # Not `+= segment.append(…)`: a signal handler may append while that call runs, and its sum would be lost.
            segments.used_bytes += total
            self.accepted += 1

    def next(self) -> Record | None:
        """Hand out a record: one that is to go again, a deferred one that is due, or the oldest not handed out yet."""
        expired = []
        with self._segments.reading:
            not_before_ms = (time() - self._max_age_seconds) * 1000
            while (record := self._take()) is not None and record.accepted_at_ms < not_before_ms:
                expired.append(self._drop_of(record))
                self.done(record)
        for drop in expired:
            self._on_drop(drop)
        return record

    def done(self, record: Record) -> None:
        """Acknowledge a record, in any order, and free its segment if it was the last there."""
        segment = record.segment
        with self._segments.reading:
            segment.finish(record.start, record.end)
            if segment.is_done:
                self._segments.retire(segment)
        if record.kind is not Kind.FEEDBACK:
            self._prepared.discard(record)

    def defer(self, record: Record, *, seconds: float) -> bool:
        """Hand a record out again in `seconds`, others before it; False where too many are deferred already."""
        with self._segments.reading:
            if len(self._deferred) >= _MAX_DEFERRED:
                return False
            heappush(self._deferred, (monotonic() + seconds, next(self._turn), _place(record)))
        return True

    def rewind(self, records: Sequence[Record]) -> None:
        """Hand records out again at once, in their order: what they were sent with failed as a whole."""
        with self._segments.reading:
            self._again.extendleft(_place(record) for record in reversed(records))

    def next_due(self) -> float | None:
        """Return the monotonic time of the earliest deferred record."""
        with self._segments.reading:
            return self._deferred[0][0] if self._deferred else None

    def mark(self) -> Mark:
        """Remember this moment, for `is_done`."""
        with self.lock:
            if self._segments.active is not None:
                self._segments.active.measure()
            return Mark(ends={segment.number: segment.size for segment in self._segments.all()})

    def is_done(self, mark: Mark) -> bool:
        """Return whether all that was accepted before the mark is done, what was adopted before it too."""
        return all(
            segment.acked >= (segment.size if segment.is_copy else mark.ends[segment.number])
            for segment in self._segments.all()
            if segment.number in mark.ends
        )

    def quarantine(self, record: Record, answer: Mapping[str, object]) -> bool:
        """Keep a record that was refused for good, with the answer; False where it cannot be kept."""
        return self._quarantine.add(record, answer, has_hook=record.segment.has_hook, max_bytes=self._max_bytes // 4)

    def prepared(self, record: Record) -> tuple[bytes, bytes] | None:
        """Return (text, image) as they were made ready before, if they were."""
        return self._prepared.get(record)

    def keep_prepared(self, record: Record, *, text: bytes, image: bytes) -> None:
        """Keep what a record was made ready to, before it goes out; raise SpoolError where it cannot be kept."""
        self._prepared.keep(record, text=text, image=image)

    def adopt(self) -> int:
        """Take over the segments of dead processes; return how many."""
        return self._segments.adopt()

    def sync(self) -> None:
        """Bring what was appended to the disk itself, against a loss of power."""
        self._segments.sync()

    def measure(self) -> None:
        """Count the bytes of the whole folder, other processes' too; now and then sweep up what a death left."""
        self._segments.measure()
        if monotonic() >= self._sweep_at:
            self._sweep_at = monotonic() + _SWEEP_SECONDS
            for name in ("waiting", "prepared"):
                sweep(self.folder / name, max_age_seconds=self._max_age_seconds)

    def make_room(self) -> None:
        """Bring a spool that is above its high-water mark below the low one; what goes first, `eviction` says."""
        self.needs_room.clear()
        if self.used_bytes <= self._high_bytes:
            self._has_rung = False
            return
        if monotonic() < self._evict_at:
            return
        self.measure()
        need = eviction.Need(self.used_bytes - self._low_bytes)
        need.size -= self.waiting.evict(need.size)
        with suppress(OSError, SpoolError):  # no room for the copy of what stays: appends refuse until there is
            if need.size > 0:
                self._evict(need)
        self.measure()
        if self.used_bytes > self._high_bytes:
            self._evict_at = monotonic() + _FRUITLESS_SECONDS

    def close(self) -> None:
        """Leave what is not done for the next process."""
        with self._segments.reading:
            self._again.clear()
            self._deferred.clear()
            self._segments.close()
            self.waiting.close()

    def forget(self) -> None:
        """Leave everything to the parent, in the child of a fork: only our copies of its descriptors go."""
        self._segments.forget()
        self._prepared.forget()
        self.waiting.close()
        self._begin()

    def _ring(self, size: int) -> None:
        # Once for each time that the mark is passed: a set() that a signal handler's append repeats would hang.
        if not self._has_rung:
            self._has_rung = True
            self.needs_room.set()
        if self.used_bytes + size > self._max_bytes:
            raise SpoolFullError(f"the spool must stay below {self._max_bytes} bytes, got {size} more")

    def _take(self) -> Record | None:
        now = monotonic()
        while self._again or (self._deferred and self._deferred[0][0] <= now):
            place = self._again.popleft() if self._again else heappop(self._deferred)[2]
            if (record := self._reread(*place)) is not None:
                return record
        for segment in self._segments.all():
            if (record := self._next_of(segment)) is not None:
                return record
        return None

    def _next_of(self, segment: Segment) -> Record | None:
        while True:
            try:
                record = segment.next()
            except OSError:  # a disk that cannot be read: later runs may have more luck
                self._segments.release(segment)
                return None
            if record is not None or not self._segments.retire(segment):
                return record

    def _reread(self, segment: Segment, start: int, end: int) -> Record | None:
        """Return a record that was handed out before; None where the disk has lost it."""
        try:
            record = segment.read(start)
        except OSError:
            self._segments.release(segment)
            return None
        if record is None:
            segment.finish(start, end)
        return record

    def _drop_of(self, record: Record) -> Drop:
        message = f"a {noun(record.kind)} must be sent within {self._max_age_seconds / 86400:g} days"
        sample_id = id_text(record.sample_id)
        own_id = eviction.feedback_id(record.text) if record.kind is Kind.FEEDBACK else sample_id
        return Drop(reason=DropReason.EXPIRED, message=message, id=own_id)

    def _evict(self, need: eviction.Need) -> None:
        pace = eviction.Pace(lambda: self._segments.is_closing)
        for goes in eviction.rounds(lambda: self._scan(pace), need):
            for segment in self._segments.all():
                if need.size <= 0:
                    return
                if self._segments.is_free(segment):
                    self._rewrite(segment, goes=goes, pace=pace)

    def _scan(self, pace: eviction.Pace) -> Iterator[tuple[Head, bool]]:
        for segment in self._segments.all():
            is_free = self._segments.is_free(segment)
            for head in pace.through(segment.heads(segment.acked)):
                yield head, is_free

    def _rewrite(self, segment: Segment, *, goes: eviction.Goes, pace: eviction.Pace) -> None:
        """Put a copy without the records that go in a segment's place, unless the sender begins with it meanwhile."""
        acked = segment.acked
        split = eviction.split(segment, heads=pace.through(segment.heads(acked)), goes=goes)
        if not split.has_gone:
            return
        try:
            if split.runs:
                draft = self._segments.begin_draft(segment)
                split.fill(draft, source=segment, pace=pace)
                draft.sync()
            is_replaced = self._segments.replace(segment, acked=acked)
        finally:
            self._segments.drop_draft()
        if is_replaced:
            for drop in pace.through(split.drops()):
                self._on_drop(drop)


def _place(record: Record) -> _Place:
    return record.segment, record.start, record.end
