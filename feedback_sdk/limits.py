"""What is left out on the caller's thread, before it costs anything: a share of all, and frames above a rate.

Both are for any thread, cost less than a microsecond a call and hold no more than a bounded number of streams.
"""

import os
import threading
import weakref
from hashlib import sha256

from feedback_sdk.errors import ValidationError

#: This draw's own: the server's rules draw with salts of theirs, so no draw foretells another.
_SALT = b"lookswrong-sdk-sampling-v1"
_DRAWS = 1 << 64
#: Streams in each of two generations.
_MAX_STREAMS = 5_000
_MAX_STANDS_FOR = 1_000_000


class Sampling:
    """Keep a share of the samples: an id's answer is the same in every process and on every retry.

    >>> Sampling(1.0).keeps(b"any id")
    True
    """

    def __init__(self, rate: float) -> None:
        if not 0.0 < rate <= 1.0:
            raise ValidationError("sample_rate", f"sample_rate must be > 0 and <= 1, got {rate!r}")
        self.rate = rate
        self._limit = int(rate * _DRAWS)

    def keeps(self, sample_id: bytes) -> bool:
        """Return whether a sample is to be captured."""
        return int.from_bytes(sha256(_SALT + sample_id).digest()[:8]) < self._limit


class FrameLimit:
    """Keep at most so many frames a second of each stream; a kept one says how many it stands for.

    Beyond 10 000 streams those that were silent longest are forgotten, with the frames left out since their last.

    >>> limit = FrameLimit(2.0)
    >>> [limit.take("door", at) for at in (0.0, 0.2, 0.4, 0.6)]
    [1, 0, 0, 3]
    """

    def __init__(self, per_second: float) -> None:
        if not per_second > 0.0:
            raise ValidationError("max_frames_per_second", f"max_frames_per_second must be > 0, got {per_second!r}")
        self._period = 1.0 / per_second
        #: by stream: when the next frame may pass, and how many were left out; `_older` is the generation before
        self._newer: dict[str, tuple[float, int]] = {}
        self._older: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()
        _limits.add(self)

    def take(self, stream: str, at: float) -> int:
        """Return 0 to leave this frame, else how many it stands for; `at` is in seconds of any steady clock."""
        with self._lock:
            due, left_out = self._newer.get(stream) or self._older.get(stream) or (at, 0)
            if at < due:
                is_kept, left_out = False, left_out + 1
            else:
                # From when it was due, not from now: else the rate would round down to a part of the camera's.
                is_kept, due = True, (due if at - due < self._period else at) + self._period
            self._newer[stream] = (due, 0 if is_kept else left_out)
            if len(self._newer) >= _MAX_STREAMS:
                self._newer, self._older = {}, self._newer
        return min(left_out + 1, _MAX_STANDS_FOR) if is_kept else 0

    def forget(self) -> None:
        """Let go, in the child of a fork, of a lock that another thread of the parent may have held."""
        self._lock = threading.Lock()


_limits: "weakref.WeakSet[FrameLimit]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for limit in _limits:
        limit.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
