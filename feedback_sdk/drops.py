"""What did not go through: counted, told to the app, and logged at most once a minute for each reason."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

_LOG = logging.getLogger("feedback_sdk")
_QUIET_SECONDS = 60.0
_MAX_CHARS = 300


class DropReason(StrEnum):
    """Why a capture, or a part of it, is not on its way to the server."""

    #: an argument that the wire format does not allow
    INVALID = "invalid"
    #: the spool's bound is reached
    SPOOL_FULL = "spool_full"
    #: the spool's disk refuses
    DISK = "disk"
    #: it lay in the spool for longer than it may
    EXPIRED = "expired"
    #: it made room in the spool for a later capture
    EVICTED = "evicted"
    #: left out by `before_send`; or that raised or returned what cannot be sent, then it lies in the quarantine file
    BEFORE_SEND = "before_send"
    #: the client was closed before
    CLOSED = "closed"
    #: the server refused it for good; it lies in the quarantine file
    QUARANTINED = "quarantined"
    #: the server refused it for good and the quarantine file could not take it
    LOST = "lost"
    #: a fault of this package or of what it was given
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop:
    """One refusal; `message` names what must hold and holds no user's data."""

    reason: DropReason
    message: str
    #: the id of the sample or feedback, where there was one
    id: str | None = None


class Drops:
    """The one place that refusals go to, from any thread."""

    def __init__(self, on_drop: Callable[[Drop], None]) -> None:
        """`on_drop` must not raise: the client guards what the app gives."""
        self._on_drop = on_drop
        self._counts: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._log = QuietLog()

    def tell(self, drop: Drop) -> None:
        """Count a refusal, log it, and hand it on."""
        with self._lock:
            self._counts[drop.reason.value] += 1
        self._log.warn(drop.reason.value, f"dropped ({drop.reason}): {drop.message}")
        self._on_drop(drop)

    def counts(self) -> dict[str, int]:
        """Return how often each reason occurred."""
        with self._lock:
            return dict(self._counts)

    def forget(self) -> None:
        """Start afresh in the child of a fork, where another thread may have left the lock taken."""
        self._lock = threading.RLock()
        self._counts = Counter()


def note(message: str) -> None:
    """Log a line in the package's name that calls for nothing."""
    _LOG.info("looks wrong: %s", message)


def warn(message: str) -> None:
    """Log a line in the package's name."""
    _LOG.warning("looks wrong: %s", message[:_MAX_CHARS])


class QuietLog:
    """A log that cannot flood: one line a minute for each topic, with the number held back."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}
        self._held: Counter[str] = Counter()

    def warn(self, topic: str, message: str) -> None:
        """Log a warning, unless one of this topic stands in the log since less than a minute."""
        now = time.monotonic()
        if now < self._next.get(topic, 0.0):
            self._held[topic] += 1
            return
        self._next[topic] = now + _QUIET_SECONDS
        held = self._held.pop(topic, 0)
        more = f" ({held} more since the last line)" if held else ""
        _LOG.warning("looks wrong: %s%s", message[:_MAX_CHARS], more)
