"""How often may they post: counts by the minute, in the broker's Redis for all processes together, else in this one.

Redis is a help here and never a need: while it is away each process counts by itself, and asks again some seconds
later. So a post costs at most one short time-out, now and then.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from flask import current_app
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from queue_server.errors import ProblemError

T = TypeVar("T")

_log = structlog.get_logger()
_REDIS = ("redis://", "rediss://", "unix://")
#: of Redis's answer, which comes in well under a millisecond where it is near
_TIMEOUT_SECONDS = 0.2
#: how long Redis is left alone after it did not answer
_AWAY_SECONDS = 5.0


class RateLimits:
    """Counts of one process, shared with the others through Redis where there is one."""

    def __init__(self, broker_url: str) -> None:
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = _shared_limiter(broker_url)
        self._lock = threading.Lock()
        self._away_until = 0.0

    def spend(self, name: str, *, per_minute: int) -> None:
        """Count one post under a name, or raise ProblemError 429 that says when the next one will be taken."""
        limit = RateLimitItemPerMinute(per_minute)
        # A name holds a pseudonym of any length, or an address.
        key = hashlib.sha256(name.encode()).hexdigest()
        reset_time = self._ask(lambda limiter: _reset_time(limiter, limit, key))
        if reset_time is not None:
            wait_seconds = max(1, math.ceil(reset_time - time.time()))
            raise ProblemError(429, "that is too often: try again later", retry_after_seconds=wait_seconds)

    def _ask(self, question: Callable[[FixedWindowRateLimiter], T]) -> T:
        """Put a question to the counts in Redis; while it is away, to our own."""
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return question(self._shared)
            except RedisError as error:
                self._note_away(error)
        return question(self._own)

    def _note_away(self, error: RedisError) -> None:
        with self._lock:
            self._away_until = time.monotonic() + _AWAY_SECONDS
        _log.warning("redis is away", action="limit", error=str(error)[:200])


def _reset_time(limiter: FixedWindowRateLimiter, limit: RateLimitItemPerMinute, key: str) -> float | None:
    """Count one more; None: it is within the limit, else when the count starts anew, in unix seconds."""
    return None if limiter.hit(limit, key) else limiter.get_window_stats(limit, key).reset_time


def _shared_limiter(broker_url: str) -> FixedWindowRateLimiter | None:
    if not broker_url.startswith(_REDIS):
        return None
    storage = RedisStorage(
        broker_url,
        key_prefix="lookswrong",
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        # redis-py tries three times by itself, with pauses
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]  # handed on to redis-py
    )
    return FixedWindowRateLimiter(storage)


def limits() -> RateLimits:
    """Return this process's counts."""
    value = current_app.extensions["lookswrong_limits"]
    assert isinstance(value, RateLimits)
    return value
