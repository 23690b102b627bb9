"""The disk spool: what the app captured, until the server has it.

Each process appends to segments of its own and adopts those of the dead, so processes share a folder without waiting
for each other. One thread reads, any thread appends; the two meet at no lock but for the switch of a segment.
"""

import os
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from json import dumps, loads
from pathlib import Path

from feedback_sdk.errors import SpoolError
from feedback_sdk.segment import SUFFIX, Kind, Record, Segment

QUARANTINE = "quarantine.jsonl"
_MAX_SEGMENT_BYTES = 16 << 20


class SpoolFullError(SpoolError):
    """The spool holds as many bytes as it may."""


def state_folder(*, url: str, kid: str) -> Path:
    """Return the user's folder for one server and key: what one app spooled never goes to another's project."""
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library/Application Support"
    else:
        root = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return root / "lookswrong" / sha256(f"{url}\n{kid}".encode()).hexdigest()[:16]


class Spool:
    """A bounded queue of records on disk, read in the order of their segments."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        #: held for an append; a fork takes it, so that no child inherits half a record
        self.lock = threading.RLock()
        self.accepted = 0
        self.finished = 0
        self.used_bytes = 0
        self._max_bytes = max_bytes
        # Space comes back by whole segments, so a small spool has small ones.
        self._segment_bytes = min(_MAX_SEGMENT_BYTES, max(max_bytes // 8, 1))
        self._active: Segment | None = None
        self._own: list[Segment] = []
        self._adopted: list[Segment] = []
        #: held while segments are closed or synced: a descriptor must not be closed under fdatasync
        self._closing = threading.Lock()
        self.measure()

    def append(self, kind: Kind, text: bytes, payload: bytes | memoryview = b"") -> None:
        """Store a record; it survives the process from here on. Raise SpoolError where it cannot be stored."""
        size = len(text) + len(payload)
        with self.lock:
            if self.used_bytes + size > self._max_bytes:
                raise SpoolFullError(f"the spool must stay below {self._max_bytes} bytes, got {size} more")
            segment = self._active
            if segment is None or segment.size + size > self._segment_bytes:
                segment = self._open_segment()
            self.used_bytes += segment.append(kind, text, payload)
            self.accepted += 1

    def next(self) -> Record | None:
        """Return the oldest record that is not done; the adopted come first."""
        for segment in [*self._adopted, *self._own]:
            try:
                record = segment.next()
            except OSError:  # a disk that cannot be read: later runs may have more luck
                self._release(segment)
                continue
            if record is not None:
                return record
            self._retire(segment)
        return None

    def done(self, record: Record) -> None:
        """Acknowledge a record, and free its segment if it was the last there."""
        segment = record.segment
        segment.ack(record.end)
        if record.kind is Kind.PIXELS:
            with suppress(OSError):
                _encoded_path(record).unlink(missing_ok=True)
        if segment in self._own:
            self.finished += 1
        if segment.acked >= segment.size:
            self._retire(segment)

    def quarantine(self, record: Record, answer: Mapping[str, object]) -> bool:
        """Keep a record that the server refused for good, with its answer; False where it cannot be kept."""
        line = {
            "at": datetime.now(UTC).isoformat(),
            "kind": record.kind.name.lower(),
            "answer": answer,
            "record": loads(record.text),
            "payload_base64": b64encode(record.payload).decode(),
        }
        text = (dumps(line) + "\n").encode()
        path = self.folder / QUARANTINE
        try:
            if _size_of(path) + len(text) > self._max_bytes // 4:
                return False
            with path.open("ab", buffering=0) as file:
                return file.write(text) == len(text)
        except OSError:
            return False

    def encoded(self, record: Record) -> bytes | None:
        """Return the file that the pixels of a record were encoded to, if they were."""
        try:
            return _encoded_path(record).read_bytes()
        except OSError:
            return None

    def keep_encoded(self, record: Record, file: bytes) -> None:
        """Keep the encoded file of a record: another run, with another zlib, would make other bytes of one id."""
        path = _encoded_path(record)
        fresh = path.with_suffix(".new")
        with suppress(OSError):  # with no room left, sending now is better than never
            fresh.write_bytes(file)
            fresh.replace(path)

    def adopt(self) -> int:
        """Take over the segments of dead processes; return how many."""
        held = {segment.path for segment in [*self._adopted, *self._own]}
        found = 0
        for path in self._segment_paths():
            if path in held:
                continue
            with self.lock:  # a fork between the opening and the noting would leave the lock with the child
                segment = _adopt(path)
                if segment is not None:
                    self._adopted.append(segment)
                    found += 1
        return found

    def is_done(self, accepted: int) -> bool:
        """Return whether the first `accepted` records of this process are done, and all that it adopted."""
        return self.finished >= accepted and all(segment.acked >= segment.size for segment in self._adopted)

    def sync(self) -> None:
        """Bring what was appended to the disk itself, against a loss of power."""
        with self._closing:
            for segment in list(self._own):
                with suppress(OSError):
                    segment.sync()

    def measure(self) -> None:
        """Count the bytes of the whole folder, other processes' too."""
        before, total = self.used_bytes, 0
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    total += entry.stat().st_size
        with self.lock:  # what came during the count may be in it twice, until the next count
            self.used_bytes += total - before

    def close(self) -> None:
        """Leave what is not done for the next process."""
        with self.lock, self._closing:
            for segment in [*self._adopted, *self._own]:
                _close(segment)
            self._active, self._own, self._adopted = None, [], []

    def forget(self) -> None:
        """Leave everything to the parent, in the child of a fork: only our copies of its descriptors go."""
        self.lock, self._closing = threading.RLock(), threading.Lock()
        self.accepted = self.finished = 0
        for segment in [*self._adopted, *self._own]:
            segment.close()
        self._active, self._own, self._adopted = None, [], []

    def _open_segment(self) -> Segment:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._active = Segment.create(self.folder)
        except OSError as error:
            raise SpoolError(f"the spool's folder must be writable, got: {error.strerror}") from error
        self._own.append(self._active)
        self.used_bytes += self._active.size
        return self._active

    def _retire(self, segment: Segment) -> None:
        """Remove a segment that is done; the active one only where it is worth a new file."""
        with self.lock:
            if segment.acked < segment.size:  # an append came between
                return
            is_small = not segment.has_failed and segment.size < self._segment_bytes // 4
            if segment is not self._active or not is_small:
                self._release(segment)

    def _release(self, segment: Segment) -> None:
        with self.lock:
            self._active = None if segment is self._active else self._active
            self._own = [other for other in self._own if other is not segment]
            self._adopted = [other for other in self._adopted if other is not segment]
            self.used_bytes -= segment.size
        with self._closing:
            _close(segment)

    def _segment_paths(self) -> Iterator[Path]:
        with suppress(OSError):
            yield from sorted(path for path in self.folder.iterdir() if path.suffix == SUFFIX)


def _adopt(path: Path) -> Segment | None:
    with suppress(OSError):
        return Segment.adopt(path)
    return None


def _close(segment: Segment) -> None:
    """Close a segment and remove its files if all in it is done."""
    is_done = segment.acked >= segment.size
    segment.close()
    if is_done:
        with suppress(OSError):
            for path in segment.path.parent.glob(f"{segment.path.stem}.*"):
                path.unlink(missing_ok=True)


def _encoded_path(record: Record) -> Path:
    return record.segment.path.with_suffix(f".{record.start}.png")


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
