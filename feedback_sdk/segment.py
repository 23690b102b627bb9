"""One file of the spool: a header, then records, only ever appended to.

Header (32 bytes): magic, and the offset up to which all is acknowledged. Record: marker, crc32 of the rest, kind,
length of its JSON, length of its payload; then both. The lock on the file says that its owner is alive: the kernel
drops it when the process dies, however it dies.
"""

import os
import struct
import sys
import zlib
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from time import time_ns

from feedback_sdk.errors import SpoolError

SUFFIX = ".spool"
_MAGIC = b"LWSPOOL1"
_HEADER = struct.Struct("<8sQ16x")
_ACK = struct.Struct("<Q")
_MARKER = b"\xf5LWR"
_HEAD = struct.Struct("<4sIIII")
#: What the crc covers of the head: kind and both lengths.
_CHECKED = struct.Struct("<III")
_BINARY = getattr(os, "O_BINARY", 0)

if sys.platform == "win32":
    import msvcrt

    #: Windows' locks forbid reading, so the locked byte lies beyond any segment.
    _LOCK_AT = 0x7FFF_FFF0

    def _lock(fd: int) -> bool:
        os.lseek(fd, _LOCK_AT, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _write(fd: int, parts: tuple[bytes, bytes, bytes | memoryview]) -> int:
        return os.write(fd, b"".join(parts))

else:
    import fcntl

    def _lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _write(fd: int, parts: tuple[bytes, bytes, bytes | memoryview]) -> int:
        return os.writev(fd, parts)


class Kind(IntEnum):
    """What a record holds."""

    SAMPLE = 1
    FEEDBACK = 2
    #: a sample whose payload is raw pixels: JSON {"sample": …, "shape": [width, height, channels]}
    PIXELS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A record as read back, with its place: [start, end) of `segment`."""

    kind: Kind
    text: bytes
    payload: bytes
    segment: "Segment"
    start: int
    end: int


class Segment:
    """An open, locked segment file. One thread appends; one thread reads and acknowledges."""

    def __init__(self, path: Path, *, fd: int, append_fd: int | None) -> None:
        self.path = path
        self.size = os.fstat(fd).st_size
        self.acked = _read_ack(fd, self.size)
        self.has_failed = False
        self._synced = 0
        self._fd = fd
        self._append_fd = append_fd

    @classmethod
    def create(cls, folder: Path) -> "Segment":
        """Make and lock a new segment in `folder`; its name sorts by the time of its making."""
        for _ in range(10):
            path = folder / f"{time_ns():020d}-{os.urandom(4).hex()}{SUFFIX}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            try:
                if _lock(fd):  # else a sibling adopted the empty file between the two calls
                    _begin(fd)
                    return cls(path, fd=fd, append_fd=os.open(path, os.O_WRONLY | os.O_APPEND | _BINARY))
            except OSError:
                os.close(fd)
                path.unlink(missing_ok=True)
                raise
            os.close(fd)
        raise SpoolError(f"a new segment must be ours alone, got 10 taken by others in {folder}")

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        """Open and lock the segment of a dead process; None while its owner lives, once it is gone, or if not ours."""
        try:
            fd = os.open(path, os.O_RDWR | _BINARY)
        except FileNotFoundError:
            return None
        if not _lock(fd) or not _is_ours(fd):
            os.close(fd)
            return None
        return cls(path, fd=fd, append_fd=None)

    def append(self, kind: Kind, text: bytes, payload: bytes | memoryview) -> int:
        """Write one record in one call and return its size; raise SpoolError and leave no trace where it fails."""
        assert self._append_fd is not None
        sizes = _CHECKED.pack(kind, len(text), len(payload))
        crc = zlib.crc32(payload, zlib.crc32(text, zlib.crc32(sizes)))
        parts = (_HEAD.pack(_MARKER, crc, kind, len(text), len(payload)), text, payload)
        total = _HEAD.size + len(text) + len(payload)
        try:
            written = _write(self._append_fd, parts)
            if written != total:
                os.ftruncate(self._append_fd, self.size)
        except OSError as error:
            self.has_failed = True
            raise SpoolError(f"the spool must be writable, got: {error.strerror}") from error
        if written != total:
            self.has_failed = True
            raise SpoolError("the spool's disk must have room, got a short write")
        # Asked, not added up: an interrupt after the write above must not shift all that follows.
        self.size = os.lseek(self._append_fd, 0, os.SEEK_END)
        return total

    def next(self) -> Record | None:
        """Return the oldest record that is not acknowledged; what is torn is skipped."""
        end = self.size
        if self.acked >= end:
            return None
        record = self._read(self.acked, end) or self._resync(self.acked + 1, end)
        if record is None:
            self.ack(end)
        return record

    def ack(self, end: int) -> None:
        """Remember that everything before the offset `end` is done with."""
        self.acked = end
        with suppress(OSError):  # a repeat after a restart is harmless, a stopped sender is not
            os.lseek(self._fd, 8, os.SEEK_SET)
            os.write(self._fd, _ACK.pack(end))

    def sync(self) -> None:
        """Bring what was appended to the disk, if anything was."""
        size = self.size
        if size != self._synced:
            getattr(os, "fdatasync", os.fsync)(self._fd)
            self._synced = size

    def close(self) -> None:
        """Close the file, and so unlock it unless the parent of a fork still holds it."""
        for fd in (self._append_fd, self._fd):
            if fd is not None:
                with suppress(OSError):
                    os.close(fd)

    def _read(self, start: int, end: int) -> Record | None:
        head = self._bytes(start, min(_HEAD.size, end - start))
        if len(head) < _HEAD.size or not head.startswith(_MARKER):
            return None
        _, crc, kind, text_size, payload_size = _HEAD.unpack(head)
        size = text_size + payload_size
        if start + _HEAD.size + size > end:
            return None
        body = self._bytes(start + _HEAD.size, size)
        if zlib.crc32(body, zlib.crc32(head[8:])) != crc or kind not in list(Kind):
            return None
        return Record(
            kind=Kind(kind),
            text=body[:text_size],
            payload=body[text_size:],
            segment=self,
            start=start,
            end=start + _HEAD.size + size,
        )

    def _resync(self, start: int, end: int) -> Record | None:
        """Return the first whole record at or after `start`."""
        rest = self._bytes(start, end - start)
        at = rest.find(_MARKER)
        while at >= 0:
            record = self._read(start + at, end)
            if record is not None:
                return record
            at = rest.find(_MARKER, at + 1)
        return None

    def _bytes(self, start: int, size: int) -> bytes:
        os.lseek(self._fd, start, os.SEEK_SET)
        parts = []
        while size > 0 and (part := os.read(self._fd, size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _begin(fd: int) -> None:
    header = _HEADER.pack(_MAGIC, _HEADER.size)
    if os.write(fd, header) != len(header):
        raise OSError(0, "no room for a segment's header")


def _is_ours(fd: int) -> bool:
    """Return whether a file is a segment, or what a process left that died before its header."""
    os.lseek(fd, 0, os.SEEK_SET)
    return _MAGIC.startswith(os.read(fd, len(_MAGIC)))


def _read_ack(fd: int, size: int) -> int:
    os.lseek(fd, 0, os.SEEK_SET)
    header = os.read(fd, _HEADER.size)
    if len(header) < _HEADER.size:
        return size
    _, acked = _HEADER.unpack(header)
    # An offset that cannot be true means: send all again, the server knows the ids.
    return int(acked) if _HEADER.size <= acked <= size else _HEADER.size
