"""The segments of one spool: whose they are, which is appended to, and what the folder weighs.

Locks, in the order in which they are taken: `reading` (handing out, and the moment in which eviction puts a copy in
a segment's place), a segment's guard (its descriptor), `lock` (an append, and the lists of segments). An append takes
the last alone, which is never held for more than a write or the opening of a file.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from feedback_sdk.errors import SpoolError
from feedback_sdk.spool import files
from feedback_sdk.spool.segment import SUFFIX, Segment


class Segments:
    """Own segments and adopted ones, oldest first."""

    def __init__(self, folder: Path, *, segment_bytes: int, syncs: bool, has_hook: bool) -> None:
        self.folder = folder
        #: from this size on a new one is begun
        self.segment_bytes = segment_bytes
        self.used_bytes = 0
        self._syncs = syncs
        self._has_hook = has_hook
        self._begin()

    def _begin(self) -> None:
        self.lock = threading.RLock()
        self.reading = threading.RLock()
        self.is_closing = False
        # Tuples, replaced as wholes: other threads look through them without a lock.
        self.active: Segment | None = None
        self.own: tuple[Segment, ...] = ()
        self._adopted: tuple[Segment, ...] = ()
        self._draft: Segment | None = None

    def all(self) -> tuple[Segment, ...]:
        """Return all, in the order in which they are handed out."""
        return (*self._adopted, *self.own)

    def is_free(self, segment: Segment) -> bool:
        """Return whether nobody works with a segment, so that it may be rewritten."""
        return segment is not self.active and segment.is_quiet

    def open(self) -> Segment:
        """Begin a new segment; raise SpoolError where that fails. The lock is held."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            segment = Segment.create(self.folder, has_hook=self._has_hook, syncs=self._syncs)
        except OSError as error:
            raise SpoolError(f"the spool's folder must be writable, got: {error.strerror}") from error
        if self._syncs:
            files.sync_folder(self.folder)
        if self.active is not None:
            self.active.measure()
        self.active = segment
        self.own = (*self.own, segment)
        self.used_bytes += segment.size
        return segment

    def adopt(self) -> int:
        """Take over the segments of dead processes; return how many."""
        held = {segment.path for segment in self.all()}
        found = 0
        for path in segment_paths(self.folder):
            if path in held:
                continue
            with self.lock:  # a fork between the opening and the noting would leave the file's lock with the child
                segment = _adopted(path, takes_hooked=self._has_hook)
                if segment is not None:
                    self._adopted = (*self._adopted, segment)
                    found += 1
        return found

    def retire(self, segment: Segment) -> bool:
        """Remove a segment that is done; the active one only where it is worth a new file.

        Return True where it turns out to hold more to hand out than was counted.
        """
        with self.lock:
            if segment is self.active:
                segment.measure()
            if segment.position < segment.size:  # an append came between, or an interrupt hid one
                return True
            is_small = not segment.has_failed and segment.size < self.segment_bytes // 4
            if not segment.is_done or (segment is self.active and is_small):
                return False
        self.release(segment)
        return False

    def release(self, segment: Segment) -> None:
        """Give a segment up: its file goes where all in it is done, else it is for the next process."""
        with self.lock:
            if segment not in self.all() or (segment is self.active and segment.position < segment.size):
                return
            self.active = None if segment is self.active else self.active
            self.own = _replaced(self.own, segment)
            self._adopted = _replaced(self._adopted, segment)
            self.used_bytes -= segment.size
        _close(segment)

    def begin_draft(self, segment: Segment) -> Segment:
        """Make the copy that may take a segment's place; a fork must know of it, or its lock stays with the child."""
        with self.lock:
            self._draft = segment.create_copy()
            return self._draft

    def replace(self, segment: Segment, *, acked: int) -> bool:
        """Put the draft, or nothing, in a segment's place; False where the sender began with it since `acked`."""
        with self.reading:
            is_begun = not self.is_free(segment) or segment.acked != acked or segment not in self.all()
            if is_begun or self.is_closing:
                return False
            fresh = () if self._draft is None else (self._draft,)
            for draft in fresh:
                draft.publish()
            with self.lock:
                self.own = _replaced(self.own, segment, fresh)
                self._adopted = _replaced(self._adopted, segment, fresh)
                self.used_bytes += sum(draft.size for draft in fresh) - segment.size
                self._draft = None
            segment.discard()
            return True

    def drop_draft(self) -> None:
        """Remove the copy if it took nobody's place."""
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.discard()

    def sync(self) -> None:
        """Bring what was appended to the disk itself, against a loss of power."""
        for segment in self.own:
            with suppress(OSError):
                segment.sync()

    def measure(self) -> None:
        """Count the bytes of the whole folder, other processes' too."""
        before, total = self.used_bytes, folder_bytes(self.folder)
        with self.lock:  # what came during the count may be in it twice, until the next count
            self.used_bytes += total - before

    def close(self) -> None:
        """Leave what is not done for the next process."""
        self.is_closing = True
        with self.reading:
            with self.lock:
                segments = self.all()
                self.active, self.own, self._adopted = None, (), ()
            for segment in segments:
                _close(segment)

    def forget(self) -> None:
        """Leave all to the parent, in the child of a fork: only our copies of its descriptors go."""
        for segment in (*self.all(), self._draft):
            if segment is not None:
                segment.abandon()
        self._begin()


def segment_paths(folder: Path) -> Iterator[Path]:
    """Yield the segments of a folder, oldest first."""
    with suppress(OSError):
        yield from sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files of a spool."""
    total = 0
    for part in (folder, folder / "waiting", folder / "prepared"):
        with suppress(OSError), os.scandir(part) as entries:
            for entry in entries:
                with suppress(OSError):  # gone since it was listed
                    total += entry.stat().st_size
    return total


def _adopted(path: Path, *, takes_hooked: bool) -> Segment | None:
    with suppress(OSError):
        return Segment.adopt(path, takes_hooked=takes_hooked)
    return None


def _close(segment: Segment) -> None:
    """Close a segment, and remove its file if all in it is done."""
    segment.measure()
    if segment.is_done:
        segment.discard()
    else:
        segment.close()


def _replaced(segments: tuple[Segment, ...], old: Segment, fresh: tuple[Segment, ...] = ()) -> tuple[Segment, ...]:
    parts = (fresh if segment is old else (segment,) for segment in segments)
    return tuple(segment for part in parts for segment in part)
