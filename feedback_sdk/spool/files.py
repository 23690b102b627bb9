"""The seam to the operating system: what Linux, macOS and Windows do differently, chosen once by what is there."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EAGAIN, ENOSPC
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import TypeAlias

Part: TypeAlias = bytes | bytearray | memoryview
_Locks: TypeAlias = tuple[Callable[[int], bool], Callable[[int], None]]

BINARY: int = getattr(os, "O_BINARY", 0)
#: Windows' locks forbid reading what they cover, so the locked byte lies beyond any file of ours.
LOCK_AT = 0x7FFF_FFF0
_POLL_SECONDS = 0.01
#: Without positional calls the offset is shared by all who use the descriptor.
_seeking = threading.Lock()


def _flocks(system: ModuleType) -> _Locks:
    def lock(fd: int) -> bool:
        try:
            system.flock(fd, system.LOCK_EX | system.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(fd: int) -> None:
        system.flock(fd, system.LOCK_UN)

    return lock, unlock


def _byte_locks(system: ModuleType) -> _Locks:
    def at(fd: int, mode: int) -> None:
        with _seeking:
            os.lseek(fd, LOCK_AT, os.SEEK_SET)
            system.locking(fd, mode, 1)

    def lock(fd: int) -> bool:
        try:
            at(fd, system.LK_NBLCK)
        except OSError:
            return False
        return True

    def unlock(fd: int) -> None:
        at(fd, system.LK_UNLCK)

    return lock, unlock


def locks_of(system: ModuleType) -> _Locks:
    """Return (try to lock, unlock) of a whole file, by fcntl's or msvcrt's functions; the kernel unlocks the dead."""
    return _flocks(system) if hasattr(system, "flock") else _byte_locks(system)


def gather_of(system: ModuleType) -> Callable[[int, Sequence[Part]], int]:
    """Return what writes several parts in one call and says how many bytes it wrote."""

    def write_joined(fd: int, parts: Sequence[Part]) -> int:
        written: int = system.write(fd, b"".join(parts))
        return written

    return getattr(system, "writev", write_joined)


def pread_of(system: ModuleType) -> Callable[[int, int, int], bytes]:
    """Return what reads (fd, size, offset) without moving anybody else's offset."""

    def read_sought(fd: int, size: int, start: int) -> bytes:
        with _seeking:
            system.lseek(fd, start, os.SEEK_SET)
            found: bytes = system.read(fd, size)
        return found

    return getattr(system, "pread", read_sought)


def pwrite_of(system: ModuleType) -> Callable[[int, bytes, int], int]:
    """Return what writes (fd, content, offset) without moving anybody else's offset."""

    def write_sought(fd: int, content: bytes, start: int) -> int:
        with _seeking:
            system.lseek(fd, start, os.SEEK_SET)
            written: int = system.write(fd, content)
        return written

    return getattr(system, "pwrite", write_sought)


def sync_of(system: ModuleType, control: ModuleType | None) -> Callable[[int], None]:
    """Return what brings a file's content to the disk itself; `control` is fcntl where there is one."""
    plain: Callable[[int], None] = getattr(system, "fdatasync", system.fsync)
    if not hasattr(control, "F_FULLFSYNC"):
        return plain

    def sync_fully(fd: int) -> None:
        # macOS' fsync leaves the bytes in the drive's own cache; some network disks know no better.
        try:
            control.fcntl(fd, control.F_FULLFSYNC)  # type: ignore[union-attr]  # None has no F_FULLFSYNC
        except OSError:
            system.fsync(fd)

    return sync_fully


def _module(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None


_fcntl = _module("fcntl")
try_lock, unlock = locks_of(_fcntl or import_module("msvcrt"))
gather = gather_of(os)
pread = pread_of(os)
pwrite = pwrite_of(os)
sync = sync_of(os, _fcntl)


def append(fd: int, parts: Sequence[Part], *, size: int) -> None:
    """Append all `size` bytes of the parts in one call, or raise OSError and leave no trace."""
    written = gather(fd, parts)
    if written != size:
        _take_back(fd, written)


def append_one(fd: int, content: bytes) -> None:
    """Append one part: a fifth cheaper than `append`, on the path that each capture takes."""
    written = os.write(fd, content)
    if written != len(content):
        _take_back(fd, written)


def _take_back(fd: int, written: int) -> None:
    # Asked, not remembered: what the caller counts may lag behind after an interrupt.
    os.ftruncate(fd, os.fstat(fd).st_size - written)
    raise OSError(ENOSPC, os.strerror(ENOSPC))


def write_at(fd: int, content: bytes, start: int) -> None:
    """Write at an offset: a lock may have moved the descriptor's own."""
    if pwrite(fd, content, start) != len(content):
        raise OSError(ENOSPC, os.strerror(ENOSPC))


def read_at(fd: int, start: int, size: int) -> bytes:
    """Return `size` bytes from the offset `start`, fewer at the file's end."""
    found = pread(fd, size, start)
    while 0 < len(found) < size and (more := pread(fd, size - len(found), start + len(found))):
        found += more
    return found


def write_whole(path: Path, parts: Sequence[Part], *, is_synced: bool) -> None:
    """Make or replace a file so that no reader ever sees half of it; raise OSError where that fails."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, 0o600)
        try:
            append(fd, parts, size=sum(len(part) for part in parts))
            if is_synced:
                sync(fd)
        finally:
            os.close(fd)
        fresh.replace(path)
    except OSError:
        remove(fresh)
        raise


def remove(path: Path) -> None:
    """Remove a file; one that is gone, or that Windows keeps because another process reads it, is left."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Return a file's bytes, 0 for one that is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def sync_folder(folder: Path) -> None:
    """Bring a new file's name to the disk, where the system can."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@contextmanager
def held(path: Path, *, seconds: float) -> Iterator[None]:
    """Hold the lock of a lock file; raise OSError where another process keeps it for longer than `seconds`."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o600)
    try:
        give_up_at = monotonic() + seconds
        while not try_lock(fd):
            if monotonic() >= give_up_at:
                raise OSError(EAGAIN, f"{path.name} is locked by another process")
            sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            unlock(fd)  # told, not left to the closing: a child of a fork may hold a copy of the descriptor
    finally:
        os.close(fd)
