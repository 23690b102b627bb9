"""Images beside the segments, a file each: those whose sample went ahead, and those made ready but not sent yet."""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import time
from typing import NamedTuple

from feedback_sdk.drops import Drop, DropReason
from feedback_sdk.errors import SpoolError
from feedback_sdk.spool import files
from feedback_sdk.spool.segment import Record

#: As long as a token lives: after that no user's feedback can come for the sample.
LIFE_SECONDS = 14 * 86400.0
_SUFFIX = ".image"
_LOCK = "lock"
_READY = struct.Struct("<II")


class WaitingImage(NamedTuple):
    """An image whose sample went ahead without it."""

    sample_id: bytes
    #: unix time
    accepted_at_ms: int
    size_bytes: int


class Waiting:
    """The images that the server may still ask for, kept for 14 days; one process of a folder looks after them."""

    def __init__(self, folder: Path, *, on_drop: Callable[[Drop], None]) -> None:
        self._folder = folder
        self._on_drop = on_drop
        self._fd: int | None = None
        self._has_lock = False

    def keep(self, sample_id: bytes, image: bytes, *, accepted_at_ms: int) -> None:
        """Keep an image until the server wants it; raise SpoolError where it cannot be kept."""
        path = self._path(sample_id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.write_whole(path, (image,), is_synced=True)
            # The file's own time says since when: one look at the folder tells the age of all.
            os.utime(path, ns=(accepted_at_ms * 1_000_000,) * 2)
        except OSError as error:
            raise SpoolError(f"an image must be kept until it is wanted, got: {error.strerror}") from error

    def entries(self) -> list[WaitingImage]:
        """Return what waits, oldest first; nothing where another process of this folder looks after it."""
        if not self._is_ours():
            return []
        alive = []
        for entry in self.look():
            if time() - entry.accepted_at_ms / 1000 > LIFE_SECONDS:
                self._drop(entry, DropReason.EXPIRED, f"an image must be wanted within {LIFE_SECONDS / 86400:.0f} days")
            else:
                alive.append(entry)
        return alive

    def look(self) -> list[WaitingImage]:
        """Return what waits, oldest first, whoever looks after it."""
        return sorted(_entries(self._folder), key=lambda entry: entry.accepted_at_ms)

    def image(self, sample_id: bytes) -> bytes | None:
        """Return a waiting image; None where none waits."""
        return _read(self._path(sample_id))

    def discard(self, sample_id: bytes) -> None:
        """Forget an image: the server has it or does not want it."""
        files.remove(self._path(sample_id))

    def evict(self, need_bytes: int) -> int:
        """Let the oldest go until `need_bytes` are free; return how many came free."""
        freed = 0
        for entry in self.look():
            if freed >= need_bytes:
                break
            freed += entry.size_bytes
            self._drop(entry, DropReason.EVICTED, "a waiting image made room for later captures")
        return freed

    def close(self) -> None:
        """Let another process look after the images."""
        fd, self._fd, self._has_lock = self._fd, None, False
        if fd is not None:
            with suppress(OSError):
                os.close(fd)

    def _is_ours(self) -> bool:
        if not self._has_lock and self._folder.is_dir():
            with suppress(OSError):
                # Noted before it is locked: the child of a fork then knows what to close.
                self._fd = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | files.BINARY, 0o600)
                self._has_lock = files.try_lock(self._fd)
            if not self._has_lock:
                self.close()
        return self._has_lock

    def _drop(self, entry: WaitingImage, reason: DropReason, message: str) -> None:
        self.discard(entry.sample_id)
        self._on_drop(Drop(reason=reason, message=message, id=id_text(entry.sample_id)))

    def _path(self, sample_id: bytes) -> Path:
        return self._folder / f"{sample_id.hex()}{_SUFFIX}"


class Prepared:
    """What was made ready of a record and is not sent yet: another run could make other bytes of the same id.

    It is known by the record's own content too: an app may give one id to two records, and each is sent as itself.
    For one thread.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: most spools never prepare anything: that must cost them no look at the disk for each record
        self._is_used = folder.is_dir()
        self.forget()

    def forget(self) -> None:
        """Forget which records are handed out, in the child of a fork; the files stay."""
        #: by the place of a record that is handed out: it may come back changed, as what it was made ready to
        self._paths: dict[tuple[int, int, bytes], Path] = {}

    def keep(self, record: Record, *, text: bytes, image: bytes) -> None:
        """Keep text and image as one file; raise SpoolError where they cannot be kept."""
        head = _READY.pack(zlib.crc32(image, zlib.crc32(text)), len(text))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._is_used = True
            files.write_whole(self._path(record), (head, text, image), is_synced=False)
        except OSError as error:
            raise SpoolError(f"what is made ready must be kept before it goes out, got: {error.strerror}") from error

    def get(self, record: Record) -> tuple[bytes, bytes] | None:
        """Return (text, image) as kept; None where there is none, or it was torn by a loss of power."""
        content = _read(self._path(record)) if self._is_used else None
        if content is None or len(content) < _READY.size:
            return None
        crc, text_bytes = _READY.unpack_from(content)
        cut = _READY.size + text_bytes
        is_whole = zlib.crc32(memoryview(content)[_READY.size :]) == crc
        return (content[_READY.size : cut], content[cut:]) if is_whole else None

    def discard(self, record: Record) -> None:
        """Forget what was made ready: it is sent or dropped."""
        if self._is_used:
            files.remove(self._path(record))
            del self._paths[_place(record)]

    def _path(self, record: Record) -> Path:
        path = self._paths.get(_place(record))
        if path is None:
            crc = zlib.crc32(record.payload, zlib.crc32(record.text))
            path = self._paths[_place(record)] = self._folder / f"{record.sample_id.hex()}-{crc:08x}.ready"
        return path


def sweep(folder: Path, *, max_age_seconds: float) -> None:
    """Remove what belongs to no record any more: what a process left that died between two steps."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            is_temporary = not entry.name.endswith(_SUFFIX) and entry.name != _LOCK
            if is_temporary and time() - entry.stat().st_mtime > max_age_seconds:
                files.remove(Path(entry.path))


def id_text(sample_id: bytes | bytearray) -> str:
    """Return the text of an id.

    >>> id_text(bytes(15) + b"*")
    '00000000-0000-0000-0000-00000000002a'
    """
    text = sample_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _place(record: Record) -> tuple[int, int, bytes]:
    return record.segment.number, record.start, record.sample_id


def _entries(folder: Path) -> Iterator[WaitingImage]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            stem, _, suffix = entry.name.partition(".")
            if f".{suffix}" == _SUFFIX and len(stem) == 32:
                with suppress(OSError, ValueError):
                    about = entry.stat()
                    ms = about.st_mtime_ns // 1_000_000
                    yield WaitingImage(sample_id=bytes.fromhex(stem), accepted_at_ms=ms, size_bytes=about.st_size)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
