"""When a request is tried again."""

from datetime import UTC, datetime

import pytest

from feedback_sdk import retry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def wait(status: int | None, *, attempt: int = 0, asked: float | None = None, draw: float = 0.5) -> float | None:
    return retry.delay(attempt=attempt, status=status, retry_after_seconds=asked, draw=draw)


@pytest.mark.parametrize("status", [None, 408, 425, 429, 500, 501, 502, 503, 504, 599, 401, 403, 404, 405, 302])
def test_what_time_or_a_person_can_mend_is_tried_again(status):
    assert wait(status) is not None


@pytest.mark.parametrize("status", [400, 406, 409, 410, 411, 413, 414, 415, 422, 431, 451])
def test_a_refusal_of_the_record_itself_is_for_good(status):
    assert wait(status) is None


@pytest.mark.parametrize(
    ("attempt", "limit"), [(0, 0.5), (1, 1.0), (2, 2.0), (6, 32.0), (7, 60.0), (100, 60.0), (10**9, 60.0)]
)
def test_the_limit_doubles_up_to_a_minute(attempt, limit):
    assert wait(503, attempt=attempt, draw=0.5) == limit / 2


def test_the_jitter_is_full():
    assert wait(503, attempt=3, draw=0.0) == 0.0
    assert wait(503, attempt=3, draw=0.999) == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize("status", [401, 403, 404, 407, 308])
def test_a_wrong_key_or_address_waits_minutes(status):
    assert wait(status, attempt=0, draw=0.5) == 60.0
    assert wait(status, attempt=9, draw=0.999) < 300.0


@pytest.mark.parametrize(("asked", "least"), [(None, 0.0), (-5.0, 0.0), (0.0, 0.0), (7.0, 7.0), (1e9, 3600.0)])
def test_what_the_server_asks_for_is_the_least_wait(asked, least):
    assert wait(429, asked=asked, draw=0.0) == least


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0.0),
        (" 30 ", 30.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms(text, seconds):
    assert retry.retry_after(text, now=NOW) == seconds


@pytest.mark.parametrize(
    ("status", "is_success"), [(100, False), (199, False), (200, True), (202, True), (299, True), (300, False)]
)
def test_every_2xx_is_a_success(status, is_success):
    assert retry.is_success(status) is is_success
