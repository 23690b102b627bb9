"""When to try a request again: pure, so that every case is a line in a table."""

from datetime import UTC, datetime

BASE_SECONDS = 0.5
CAP_SECONDS = 60.0
#: A probe is small, and what waits on disk should go soon after the server is back.
PROBE_CAP_SECONDS = 20.0
#: A wrong key, address or proxy is mended by a person, which takes minutes.
MISCONFIGURED_CAP_SECONDS = 300.0
#: A server cannot put us off for longer than this.
ASKED_CAP_SECONDS = 3600.0

#: Refusals of the key: a record must not be lost for them.
KEY_REFUSED = frozenset({401, 403})
#: What a wrong address answers: a redirect, a page that is not there, a proxy that wants a password.
WRONG_ADDRESS = frozenset({301, 302, 303, 307, 308, 404, 405, 407})
_LATER = frozenset({408, 425, 429})


def is_success(status: int) -> bool:
    """Return whether the server took the record.

    >>> is_success(202), is_success(409)
    (True, False)
    """
    return 200 <= status < 300


def is_down(status: int | None) -> bool:
    """Return whether an answer, or its absence, is that of a server in trouble; else it only puts us off.

    >>> is_down(None), is_down(503), is_down(429)
    (True, True, False)
    """
    return status is None or status >= 500 or status == 408


def delay(*, attempt: int, status: int | None, retry_after_seconds: float | None, draw: float) -> float | None:
    """Return the seconds to wait before the next try, or None where no try can bring success.

    `attempt` counts the tries since the last answer that was a success, from 0; `status` is None where no answer
    came; `draw` is uniform in [0, 1). The wait has "full jitter": uniform up to a limit that doubles
    (M. Brooker, "Exponential Backoff And Jitter", 2015).

    >>> delay(attempt=0, status=None, retry_after_seconds=None, draw=0.5)
    0.25
    >>> delay(attempt=3, status=429, retry_after_seconds=7.0, draw=0.5)
    9.0
    >>> delay(attempt=0, status=409, retry_after_seconds=None, draw=0.5) is None
    True
    """
    if status in KEY_REFUSED | WRONG_ADDRESS:
        return jitter(attempt, draw, cap_seconds=MISCONFIGURED_CAP_SECONDS, base_seconds=2 * CAP_SECONDS)
    if status is not None and 400 <= status < 500 and status not in _LATER:
        return None
    asked = min(max(retry_after_seconds or 0.0, 0.0), ASKED_CAP_SECONDS)
    return asked + jitter(attempt, draw)


def retry_after(text: str | None, *, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds or a date; None where it says nothing.

    >>> retry_after("120", now=datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    >>> retry_after("Thu, 01 Jan 2026 00:00:30 GMT", now=datetime(2026, 1, 1, tzinfo=UTC))
    30.0
    """
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    instant = http_date(text)
    return None if instant is None else max((instant - now).total_seconds(), 0.0)


def http_date(text: str | None) -> datetime | None:
    """Read an HTTP date; None where it is none.

    >>> http_date("Thu, 01 Jan 2026 00:00:30 GMT").isoformat()
    '2026-01-01T00:00:30+00:00'
    """
    from email.utils import parsedate_to_datetime  # it loads half of `email`: not with the package

    try:
        instant = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def jitter(attempt: int, draw: float, *, cap_seconds: float = CAP_SECONDS, base_seconds: float = BASE_SECONDS) -> float:
    """Return a wait drawn from a limit that doubles with each attempt, up to its cap.

    >>> jitter(1, 0.5), jitter(10**9, 0.5)
    (0.5, 30.0)
    """
    # 2.0 ** 1024 would raise OverflowError after a night without a server
    return draw * min(cap_seconds, base_seconds * 2.0 ** min(attempt, 32))
