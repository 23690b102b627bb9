"""One file of the spool: a header, then records, only ever appended to.

Header (32 bytes): magic, the offset up to which all is done, flags. Record: marker, crc32 of all that follows, kind,
length of its text, length of its payload, time of its acceptance, the sample's id; then both. The lock on the file
says that its owner is alive: the kernel drops it when the process dies, however it dies.

`size` is counted, not asked, and may lag behind the file where an interrupt came between a write and its count. It
never runs ahead, so a record that begins below `size` is whole. `measure` puts it right.
"""

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from pathlib import Path
from time import time_ns
from typing import NamedTuple

from feedback_sdk.errors import SpoolError
from feedback_sdk.spool import files

SUFFIX = ".spool"
_MAGIC = b"LWSPOOL2"
_HEADER = struct.Struct("<8sQI12x")
_ACK_AT, _ACK = 8, struct.Struct("<Q")
_FLAGS_AT, _FLAGS = 16, struct.Struct("<I")
#: Written by a client with before_send: to send such a record without the hook would give away what it hides.
_HAS_HOOK = 1
#: Not whole yet: its records still lie in the segment that it is a copy of.
_IS_DRAFT = 2
_MARKER = b"\xf5LWR"
_START = struct.Struct("<4sI")
_REST = struct.Struct("<IIIQ16s")
_HEAD = struct.Struct("<4sIIIIQ16s")
_SCAN_BYTES = 1 << 18
_numbers = count()


class Kind(IntEnum):
    """What a record holds."""

    SAMPLE = 1
    FEEDBACK = 2
    #: a sample whose payload is raw pixels; its text is {"sample": …, "shape": …}
    PIXELS = 3


_KINDS = {int(kind): kind for kind in Kind}


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A record as read back, with its place: [start, end) of `segment`."""

    kind: Kind
    #: 16 bytes; of a feedback: the sample that it speaks of
    sample_id: bytes
    #: unix time
    accepted_at_ms: int
    text: bytes
    payload: bytes
    segment: "Segment"
    start: int
    end: int


class Head(NamedTuple):
    """What a scan tells of a record; a tuple, since a full spool has a million of them.

    (The other values of these modules are tuples for the import's sake: a dataclass costs each app 0.7 ms.)
    """

    kind: int
    sample_id: bytes
    accepted_at_ms: int
    text_bytes: int
    start: int
    end: int


class Segment:
    """An open segment file. One thread appends; one thread reads and acknowledges."""

    def __init__(self, path: Path, *, fd: int, append_fd: int | None = None, syncs: bool = False) -> None:
        self.path = path
        self.size = os.fstat(fd).st_size
        self.acked, flags = _read_header(fd, self.size)
        self.has_hook = bool(flags & _HAS_HOOK)
        #: where the next record to hand out begins
        self.position = self.acked
        self.has_failed = False
        #: stays with the copy that eviction makes
        self.number = next(_numbers)
        self.is_copy = False
        #: the runs that are done beyond `acked`, by their starts and by their ends: neighbours become one
        self._ends: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._synced = 0
        self._syncs = syncs
        self._fd = fd
        self._append_fd = append_fd
        #: held where another thread than the reader uses the descriptor, and to close it
        self._guard = threading.Lock()

    @classmethod
    def create(cls, folder: Path, *, has_hook: bool, syncs: bool = False) -> "Segment":
        """Make and lock a new segment in `folder`; its name sorts by the time of its making."""
        return cls._create(folder, era=f"{time_ns():020d}", flags=_HAS_HOOK * has_hook, syncs=syncs)

    def create_copy(self) -> "Segment":
        """Make an empty segment for what is kept of this one; until `publish` it counts for nobody."""
        copy = self._create(
            self.path.parent, era=self.path.name[:20], flags=_IS_DRAFT | _HAS_HOOK * self.has_hook, syncs=False
        )
        copy.number, copy.is_copy = self.number, True
        return copy

    @classmethod
    def _create(cls, folder: Path, *, era: str, flags: int, syncs: bool) -> "Segment":
        for _ in range(10):
            path = folder / f"{era}-{os.urandom(4).hex()}{SUFFIX}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | files.BINARY, 0o600)
            try:
                if files.try_lock(fd):  # else a sibling adopted the empty file between the two calls
                    files.write_at(fd, _HEADER.pack(_MAGIC, _HEADER.size, flags), 0)
                    append_fd = os.open(path, os.O_WRONLY | os.O_APPEND | files.BINARY)
                    return cls(path, fd=fd, append_fd=append_fd, syncs=syncs)
            except OSError:
                os.close(fd)
                files.remove(path)
                raise
            os.close(fd)
        raise SpoolError(f"a new segment must be ours alone, got 10 taken by others in {folder}")

    @classmethod
    def adopt(cls, path: Path, *, takes_hooked: bool) -> "Segment | None":
        """Open and lock the segment of a dead process; None while its owner lives, once it is gone, or if not ours."""
        fd = _open(path)
        if fd is None:
            return None
        try:
            # Looked at before the lock, so that those who may not send it do not keep it from those who may.
            if (
                _may_take(fd, takes_hooked=takes_hooked)
                and files.try_lock(fd)
                and _may_take(fd, takes_hooked=takes_hooked)
            ):
                return cls(path, fd=fd)
        except OSError:
            os.close(fd)
            raise
        os.close(fd)
        return None

    @classmethod
    def look(cls, path: Path) -> "Segment | None":
        """Open a segment to read it beside its owner, without a lock; None if it is gone or not ours."""
        fd = _open(path)
        if fd is None:
            return None
        if _may_take(fd, takes_hooked=True):
            return cls(path, fd=fd)
        os.close(fd)
        return None

    @property
    def is_done(self) -> bool:
        """Return whether nothing in it is left to do."""
        return self.acked >= self.size

    @property
    def is_quiet(self) -> bool:
        """Return whether no record of it is handed out."""
        return self.position == self.acked

    def fileno(self) -> int:
        """Return the descriptor, for whoever asks whether the owner lives."""
        return self._fd

    def append(
        self, kind: Kind, text: bytes, *, sample_id: bytes, payload: bytes | memoryview, accepted_at_ms: int
    ) -> int:
        """Write one record in one call and return its size; raise SpoolError and leave no trace where it fails."""
        payload_bytes = len(payload)
        rest = _REST.pack(kind, len(text), payload_bytes, accepted_at_ms, sample_id) + text
        total = 8 + len(rest) + payload_bytes
        fd = self._append_fd
        assert fd is not None
        try:
            if payload_bytes:
                start = _START.pack(_MARKER, zlib.crc32(payload, zlib.crc32(rest)))
                files.append(fd, (start, rest, payload), size=total)
            else:
                files.append_one(fd, _START.pack(_MARKER, zlib.crc32(rest)) + rest)
            if self._syncs:
                self._sync_appended(fd, total)
        except OSError as error:
            self.has_failed = True
            raise SpoolError(f"the spool must be writable, got: {error.strerror}") from error
        self.size += total
        return total

    def next(self) -> Record | None:
        """Hand out the oldest record that was not yet; what is torn is skipped."""
        start = self.position
        if start >= self.size:
            return None
        record = self.read(start) or self._resync(start + 1)
        end = self.size if record is None else record.start
        if end > start:
            self.finish(start, end)
        self.position = end if record is None else record.end
        return record

    def read(self, start: int) -> Record | None:
        """Return the record that begins at an offset; None where none does or it is torn."""
        head = files.read_at(self._fd, start, _HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(_MARKER):
            return None
        _, crc, kind, text_bytes, payload_bytes, accepted_at_ms, sample_id = _HEAD.unpack(head)
        end = start + _HEAD.size + text_bytes + payload_bytes
        if kind not in _KINDS or end > os.fstat(self._fd).st_size:
            return None
        # Read apart: a slice would hold the payload twice.
        text = files.read_at(self._fd, start + _HEAD.size, text_bytes)
        payload = files.read_at(self._fd, end - payload_bytes, payload_bytes)
        if zlib.crc32(payload, zlib.crc32(text, zlib.crc32(head[8:]))) != crc:
            return None
        return Record(
            kind=_KINDS[kind],
            sample_id=sample_id,
            accepted_at_ms=accepted_at_ms,
            text=text,
            payload=payload,
            segment=self,
            start=start,
            end=end,
        )

    def finish(self, start: int, end: int) -> None:
        """Note that [start, end) is done with, in any order; what is done from the beginning on is kept on disk."""
        if start in self._starts:
            start = self._starts.pop(start)
            del self._ends[start]
        if end in self._ends:
            end = self._ends.pop(end)
            del self._starts[end]
        if start > self.acked:
            self._ends[start], self._starts[end] = end, start
        elif end > self.acked:
            self.acked = end
            self.position = max(self.position, end)
            with suppress(OSError):  # a repeat after a restart is harmless, a stopped sender is not
                files.pwrite(self._fd, _ACK.pack(end), _ACK_AT)

    def heads(self, start: int) -> Iterator[Head]:
        """Tell of each record from an offset on, for any thread; nothing more once the segment is closed."""
        buffer, at = b"", start
        while True:
            offset = start - at
            if offset + _HEAD.size > len(buffer):
                buffer, at, offset = self.bytes_at(start, _SCAN_BYTES), start, 0
                if len(buffer) < _HEAD.size:
                    return
            marker, _, kind, text_bytes, payload_bytes, ms, sample_id = _HEAD.unpack_from(buffer, offset)
            end = start + _HEAD.size + text_bytes + payload_bytes
            if marker == _MARKER and kind in _KINDS and end <= self.size:
                yield Head(kind, sample_id, ms, text_bytes, start, end)
                start = end
            else:
                found = None if start >= self.size else self._resync(start + 1)
                if found is None:
                    return
                start = found.start

    def text_of(self, head: Head) -> bytes:
        """Return the text of a record that a scan told of."""
        return self.bytes_at(head.start + _HEAD.size, head.text_bytes)

    def copy(self, source: "Segment", start: int, end: int) -> None:
        """Append the bytes [start, end) of another segment, in pieces."""
        assert self._append_fd is not None
        while start < end and (part := source.bytes_at(start, min(_SCAN_BYTES, end - start))):
            files.append(self._append_fd, (part,), size=len(part))
            self.size += len(part)
            start += len(part)

    def publish(self) -> None:
        """Let a copy count: from here on it stands for the segment that it was made of."""
        files.pwrite(self._fd, _FLAGS.pack(_HAS_HOOK * self.has_hook), _FLAGS_AT)

    def measure(self) -> None:
        """Ask for the true size; only where nobody appends meanwhile."""
        with suppress(OSError):
            self.size = os.fstat(self._fd).st_size

    def sync(self) -> None:
        """Bring what was appended to the disk, if anything was."""
        with self._guard:
            size = self.size
            if size != self._synced and self._fd >= 0:
                files.sync(self._fd)
                self._synced = size

    def close(self) -> None:
        """Close the file, and so unlock it unless the parent of a fork still holds it."""
        with self._guard:
            self.abandon()

    def discard(self) -> None:
        """Remove the file. What is done is noted first, so that whoever opens it in between finds nothing to do."""
        self.finish(self.acked, self.size)
        self.close()
        files.remove(self.path)

    def abandon(self) -> None:
        """Close without waiting for other threads: for the child of a fork, which has none."""
        for fd in (self._append_fd, self._fd):
            if fd is not None and fd >= 0:
                with suppress(OSError):
                    os.close(fd)
        self._append_fd, self._fd = None, -1

    def _sync_appended(self, fd: int, total: int) -> None:
        try:
            files.sync(fd)
        except OSError:
            os.ftruncate(fd, os.fstat(fd).st_size - total)  # not counted yet, so no reader has seen it
            raise

    def _resync(self, start: int) -> Record | None:
        """Return the first whole record at or after `start`."""
        while start < self.size:
            window = self.bytes_at(start, _SCAN_BYTES)
            at = window.find(_MARKER)
            while at >= 0:
                with self._guard:
                    record = self.read(start + at) if self._fd >= 0 else None
                if record is not None:
                    return record
                at = window.find(_MARKER, at + 1)
            if len(window) < _SCAN_BYTES:
                return None
            start += len(window) - len(_MARKER) + 1  # a marker may lie across the border
        return None

    def bytes_at(self, start: int, size: int) -> bytes:
        """Read for any thread; nothing once the segment is closed."""
        with self._guard:
            return files.read_at(self._fd, start, size) if self._fd >= 0 else b""


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR | files.BINARY)
    except FileNotFoundError:
        return None


def _may_take(fd: int, *, takes_hooked: bool) -> bool:
    """Return whether a file is a segment, or what a process left that died before its header; and not hooked."""
    header = files.read_at(fd, 0, _HEADER.size)
    if len(header) < _HEADER.size:
        return _MAGIC.startswith(header[: len(_MAGIC)])
    magic, _, flags = _HEADER.unpack(header)
    return bool(magic == _MAGIC and (takes_hooked or not flags & _HAS_HOOK))


def _read_header(fd: int, size: int) -> tuple[int, int]:
    """Return the offset up to which all is done, and the flags."""
    header = files.read_at(fd, 0, _HEADER.size)
    if len(header) < _HEADER.size:
        return size, 0
    _, acked, flags = _HEADER.unpack(header)
    if flags & _IS_DRAFT:
        return size, flags
    # An offset that cannot be true means: send all again, the server knows the ids.
    return int(acked) if _HEADER.size <= acked <= size else _HEADER.size, int(flags)
