"""Other systems' ways with files, for tests on this one: each entry of DISKS makes the SDK see such a system."""

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from feedback_sdk.spool import files

#: What Windows' `os` has of what we use: nothing that gathers, and nothing positional.
PLAIN = SimpleNamespace(write=os.write, read=os.read, lseek=os.lseek, fsync=os.fsync)


def locking(fd: int, mode: int, size: int) -> None:
    """Lock bytes from the descriptor's offset on, as msvcrt does: by opened file, not by process."""
    kind = fcntl.F_UNLCK if mode == msvcrt.LK_UNLCK else fcntl.F_WRLCK
    at = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, at, size, 0))
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


msvcrt = SimpleNamespace(LK_UNLCK=0, LK_NBLCK=2, locking=locking)


def _as_is(_: pytest.MonkeyPatch) -> None:
    pass


def _no_gathering(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(files, "gather", files.gather_of(PLAIN))


def _no_positions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(files, "pread", files.pread_of(PLAIN))
    patch.setattr(files, "pwrite", files.pwrite_of(PLAIN))


def _full_sync(patch: pytest.MonkeyPatch) -> None:
    control = SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda fd, _: os.fsync(fd))
    patch.setattr(files, "sync", files.sync_of(PLAIN, control))


def _byte_locks(patch: pytest.MonkeyPatch) -> None:
    try_lock, unlock = files.locks_of(msvcrt)
    patch.setattr(files, "try_lock", try_lock)
    patch.setattr(files, "unlock", unlock)


def _no_removal_of_open_files(patch: pytest.MonkeyPatch) -> None:
    for name in ("unlink", "replace", "rename"):
        patch.setattr(os, name, _refusing(getattr(os, name)))


def _refusing(call: Callable[..., None]) -> Callable[..., None]:
    def refuse_if_open(*paths: str | Path, **options: object) -> None:
        for path in paths:
            if str(path) in open_files():
                raise PermissionError(errno.EACCES, "The file is being used by another process", str(path))
        call(*paths, **options)

    return refuse_if_open


def open_files() -> list[str]:
    """Return the paths of what this process has open."""
    return [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]


def _windows(patch: pytest.MonkeyPatch) -> None:
    for part in (_no_gathering, _no_positions, _byte_locks, _no_removal_of_open_files):
        part(patch)


DISKS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    "as_is": _as_is,
    "no_gathering": _no_gathering,
    "no_positions": _no_positions,
    "full_sync": _full_sync,
    "byte_locks": _byte_locks,
    "no_removal_of_open_files": _no_removal_of_open_files,
    "windows": _windows,
}
