"""How often pages may post: by token, address and project; with Redis, without it, and while it dies."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from queue_server.api.limits import RateLimits
from queue_server.backend import Backend
from queue_server.errors import ProblemError
from tests import servers
from tests.server.conftest import Server, apply_project, run_server
from tests.server.end_users import answer, mint, post, publishable, say, show

LOW = {"token_posts_per_minute": 2, "address_posts_per_minute": 1000, "project_posts_per_minute": 1000}


@contextmanager
def serving(backend: Backend, *, project_text: str | None = None, **settings: object) -> Iterator[Server]:
    """Serve a backend with other settings."""
    changed = replace(backend, settings=backend.settings.model_copy(update=LOW | settings))
    yield from run_server(changed, project_text=project_text)


@pytest.fixture(autouse=True)
def _project(sqlite_backend: Backend) -> None:
    apply_project(sqlite_backend)


@pytest.fixture(autouse=True)
def _early_in_a_minute() -> None:
    # Counts start anew with the minute: a test must not see two of them.
    left = 60 - time.time() % 60
    if left < 5:
        time.sleep(left + 0.1)


def statuses(answers: list[httpx.Response]) -> list[int]:
    return [response.status_code for response in answers]


@pytest.fixture(params=["own", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """Where the counts are: in the process, or in Redis."""
    return "" if request.param == "own" else request.getfixturevalue("redis_url")


def test_token_that_posts_too_often_is_429(sqlite_backend: Backend, broker_url: str) -> None:
    with serving(sqlite_backend, broker_url=broker_url) as server:
        sample_id = uuid4()
        assert statuses([say(server, sample_id) for _ in range(3)]) == [202, 202, 429]
        assert statuses([say(server, uuid4()), say(server, sample_id, reporter="bert")]) == [202, 202]


def test_429_says_when_and_a_page_can_read_it(sqlite_backend: Backend, broker_url: str) -> None:
    with serving(sqlite_backend, broker_url=broker_url, token_posts_per_minute=1) as server:
        sample_id = uuid4()
        _, refused = say(server, sample_id), say(server, sample_id)
        assert 1 <= int(refused.headers["Retry-After"]) <= 61
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
        assert "Retry-After" in refused.headers["Access-Control-Expose-Headers"]


def test_a_new_token_of_the_same_user_and_sample_counts_on(sqlite_backend: Backend) -> None:
    with serving(sqlite_backend, token_posts_per_minute=1) as server:
        sample_id = uuid4()
        say(server, sample_id)
        later = mint(server, sample_id).replace("4000000000", "4000000001")
        assert post(server, "/v1/feedback", answer(sample_id, token=later)).status_code == 401  # forged
        assert say(server, sample_id).status_code == 429


def test_address_that_posts_too_often_is_429_whatever_it_posts(sqlite_backend: Backend, broker_url: str) -> None:
    with serving(sqlite_backend, broker_url=broker_url, address_posts_per_minute=3) as server:
        guesses = [post(server, "/v1/feedback", answer(uuid4(), token="v1.x")) for _ in range(3)]
        assert statuses([*guesses, say(server, uuid4())]) == [401, 401, 401, 429]


def test_project_that_is_posted_to_too_often_is_429(sqlite_backend: Backend, broker_url: str) -> None:
    with serving(sqlite_backend, broker_url=broker_url, project_posts_per_minute=2) as server:
        key = publishable(server)
        answers = [post(server, "/v1/feedback", answer(uuid4(), key=key)) for _ in range(2)]
        assert statuses([*answers, say(server, uuid4())]) == [202, 202, 429]


def test_project_is_not_used_up_by_one_token(sqlite_backend: Backend) -> None:
    with serving(sqlite_backend, token_posts_per_minute=1, project_posts_per_minute=3) as server:
        sample_id = uuid4()
        assert statuses([say(server, sample_id) for _ in range(5)]) == [202, 429, 429, 429, 429]
        assert say(server, uuid4()).status_code == 202


def test_what_was_shown_does_not_use_up_the_answers(sqlite_backend: Backend) -> None:
    with serving(sqlite_backend, token_posts_per_minute=1) as server:
        sample_id = uuid4()
        assert statuses([show(server, sample_id), show(server, sample_id), say(server, sample_id)]) == [202, 429, 202]


def test_keys_are_not_limited(sqlite_backend: Backend) -> None:
    limits = dict.fromkeys(LOW, 1)
    with serving(sqlite_backend, **limits) as server:
        assert statuses([server.say(uuid4(), "rejected") for _ in range(3)]) == [202] * 3


def test_processes_share_their_counts_through_redis(sqlite_backend: Backend, redis_url: str) -> None:
    with ExitStack() as stack:
        one, other = (stack.enter_context(serving(sqlite_backend, broker_url=redis_url)) for _ in range(2))
        sample_id = uuid4()
        token = mint(one, sample_id)
        answers = [post(server, "/v1/feedback", answer(sample_id, token=token)) for server in (one, other, one, other)]
        assert statuses(answers) == [202, 202, 429, 429]


# While Redis is away.


def test_without_its_redis_a_process_counts_by_itself(sqlite_backend: Backend, tmp_path: Path) -> None:
    redis = ExitStack()
    url = redis.enter_context(servers.redis(tmp_path))
    with redis, serving(sqlite_backend, broker_url=url) as server:
        say(server, uuid4())
        redis.close()
        sample_id, started = uuid4(), time.monotonic()
        assert statuses([say(server, sample_id) for _ in range(3)]) == [202, 202, 429]
        assert time.monotonic() - started < 2.0


@contextmanager
def stopped_redis(folder: Path) -> Iterator[str]:
    """Run a Redis that takes connections and answers nothing."""
    with servers.redis(folder) as url:
        with Redis.from_url(url) as client:
            pid = int(client.info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield url
        finally:
            os.kill(pid, signal.SIGCONT)


def test_redis_that_hangs_costs_one_short_time_out(sqlite_backend: Backend, tmp_path: Path) -> None:
    with stopped_redis(tmp_path) as url, serving(sqlite_backend, broker_url=url) as server:
        sample_id, started = uuid4(), time.monotonic()
        assert statuses([say(server, sample_id) for _ in range(3)]) == [202, 202, 429]
        assert time.monotonic() - started < 2.0


def test_redis_that_comes_back_is_asked_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = RateLimits(redis_url)
    monkeypatch.setattr("queue_server.api.limits._AWAY_SECONDS", 0.05)
    with Redis.from_url(redis_url) as client:
        client.execute_command("CLIENT", "PAUSE", "400", "ALL")
        limits.spend("a", per_minute=1)
        time.sleep(0.5)
        limits.spend("a", per_minute=1)  # of our own count it would be the second
        assert client.keys("lookswrong*")


@pytest.mark.parametrize("url", ["", "memory://", "amqp://127.0.0.1/", "redis://127.0.0.1:1/0"])
def test_any_broker_will_do(url: str) -> None:
    limits = RateLimits(url)
    limits.spend("a", per_minute=1)
    with pytest.raises(ProblemError) as caught:
        limits.spend("a", per_minute=1)
    assert caught.value.status == 429
    assert caught.value.retry_after_seconds is not None


# Who has which address.


def from_address(server: Server, forwarded: str) -> int:
    headers = {"X-Forwarded-For": forwarded, "Content-Type": "text/plain"}
    sample_id = uuid4()
    token = mint(server, sample_id)
    return server.open.post("/v1/feedback", json=answer(sample_id, token=token), headers=headers).status_code


@pytest.mark.parametrize(
    ("proxies", "first", "second", "status"),
    [
        (0, "192.0.2.1", "192.0.2.2", 429),
        (1, "192.0.2.1", "192.0.2.2", 202),
        (1, "192.0.2.1", "192.0.2.1", 429),
        (1, "192.0.2.8, 192.0.2.1", "192.0.2.9, 192.0.2.1", 429),
        (2, "192.0.2.8, 192.0.2.1", "192.0.2.9, 192.0.2.1", 202),
        (1, "2001:db8::1", "2001:db8::2", 429),
        (1, "2001:db8::1", "2001:db8:0:1::1", 202),
        (1, "::ffff:192.0.2.1", "192.0.2.1", 429),
        (1, "nonsense", "nonsense", 429),
    ],
)
def test_address_is_the_one_that_trusted_proxies_saw(
    sqlite_backend: Backend, proxies: int, first: str, second: str, status: int
) -> None:
    with serving(sqlite_backend, address_posts_per_minute=1, trusted_proxies=proxies) as server:
        assert [from_address(server, first), from_address(server, second)] == [202, status]
