"""Servers and processes for the tests of the SDK, each stopped by the test that starts it."""

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback_sdk import FeedbackClient
from feedback_sdk.drops import Drop
from feedback_sdk.spool import Spool
from tests.sdk.disks import DISKS
from tests.sdk.spooling import MIB
from tests.sdk.stand_in import KEY, Server

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "API_KEY", "SPOOL_DIR"):
        monkeypatch.delenv(f"LOOKSWRONG_{name}", raising=False)


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start a Python process that runs a text with a `client` on the test's spool."""
    started = []

    def start(text: str, *, url: str) -> subprocess.Popen:
        head = "from feedback_sdk import FeedbackClient\nimport os, signal, sys, time\nclient = FeedbackClient()\n"
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LOOKSWRONG_URL": url,
            "LOOKSWRONG_API_KEY": KEY,
            "LOOKSWRONG_SPOOL_DIR": str(tmp_path / "spool"),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", head + textwrap.dedent(text)], env=environ, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., FeedbackClient]]:
    """Make clients on one spool folder, each closed at the end."""
    made = []

    def make(url: str = "http://memory", **options: object) -> FeedbackClient:
        made.append(FeedbackClient(url, KEY, **{"spool_dir": tmp_path / "spool", **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """See the disk of each of the systems that the SDK runs on."""
    DISKS[request.param](monkeypatch)


@pytest.fixture
def drops() -> list[Drop]:
    """Hold what the spools of a test dropped."""
    return []


@pytest.fixture
def make_spool(tmp_path: Path, drops: list[Drop]) -> Iterator[Callable[..., Spool]]:
    """Make spools on one folder, each closed at the end."""
    made = []

    def make(**options: object) -> Spool:
        settings = {"max_bytes": MIB, "max_age_seconds": 3600.0, "on_drop": drops.append, **options}
        made.append(Spool(tmp_path / "spool", **settings))
        return made[-1]

    yield make
    for spool in made:
        spool.close()


@pytest.fixture
def spool(make_spool: Callable[..., Spool]) -> Spool:
    return make_spool()
