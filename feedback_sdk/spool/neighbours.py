"""What lies in spool folders unsent, looked at from beside: no owner is disturbed, nothing is taken."""

import re
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from feedback_sdk.spool import files
from feedback_sdk.spool.segment import Kind, Segment
from feedback_sdk.spool.segments import segment_paths

#: what `state_folder` makes: the server, then the key
_NAME = re.compile(r"[0-9a-f]{16}-")


class Unsent(NamedTuple):
    """What one segment holds that is not sent yet."""

    name: str
    #: whether the app that wrote it, or one that adopted it, runs
    is_owned: bool
    captures: int
    feedback: int
    size_bytes: int
    #: unix time; None where it holds nothing
    oldest_ms: int | None


def unsent(folder: Path) -> list[Unsent]:
    """Tell of each segment of a folder, oldest first."""
    return [found for path in segment_paths(folder) if (found := _look(path)) is not None]


def neighbours(folder: Path) -> list[Path]:
    """Return the folders of the same server under other keys that hold unsent records, and whose app does not run.

    Only folders of `state_folder` have such; to look costs a few reads for each segment there.
    """
    server = _NAME.match(folder.name)
    if server is None:
        return []
    found: list[Path] = []
    with suppress(OSError):
        found += sorted(path for path in folder.parent.iterdir() if path.name.startswith(server.group()))
    return [path for path in found if path.name != folder.name and _is_left(path)]


def _look(path: Path) -> Unsent | None:
    segment = Segment.look(path)
    if segment is None:
        return None
    with closing(segment):  # which drops the lock again
        heads = list(segment.heads(segment.acked))
        feedback = sum(head.kind == Kind.FEEDBACK for head in heads)
        return Unsent(
            name=path.name,
            is_owned=not files.try_lock(segment.fileno()),
            captures=len(heads) - feedback,
            feedback=feedback,
            size_bytes=sum(head.end - head.start for head in heads),
            oldest_ms=min((head.accepted_at_ms for head in heads), default=None),
        )


def _is_left(folder: Path) -> bool:
    """Return whether a folder holds unsent records and no app that runs has any of them."""
    owned = [is_owned for path in segment_paths(folder) if (is_owned := _is_owned(path)) is not None]
    return bool(owned) and not any(owned)


def _is_owned(path: Path) -> bool | None:
    """Return whether the owner of a segment lives; None where it holds nothing unsent, or cannot be read."""
    with suppress(OSError):
        segment = Segment.look(path)
        if segment is not None:
            with closing(segment):
                if next(segment.heads(segment.acked), None) is not None:
                    return not files.try_lock(segment.fileno())
    return None
