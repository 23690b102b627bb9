"""Real servers for every test, one of each per run, started at first use and stopped at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from queue_server.local_label_studio import LocalLabelStudio
from tests import servers


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLabelStudio]:
    """One Label Studio (`url`, `api_key`, `email`, `password`); tests make projects of their own in it."""
    with servers.label_studio(tmp_path_factory.mktemp("label-studio")) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.PostgreSQL]:
    """One PostgreSQL cluster; `new_database()` gives an empty database."""
    with servers.postgresql() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgresql: servers.PostgreSQL) -> Iterator[str]:
    """The postgresql:// URL of an empty database of this test's own."""
    with postgresql.new_database() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The redis:// URL of one Redis."""
    with servers.redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The redis:// URL of a Redis that is empty when the test starts."""
    with Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser's program."""
    return servers.chromium()
