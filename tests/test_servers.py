import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from tests import servers

ROOT = Path(__file__).parents[1]
#: a test that waits with every server running, for the one below that interrupts it
WAITING = """
import time

def test_waits(postgresql, redis_server):
    print("pids", postgresql.pid, postgresql.folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_test_gets_an_empty_database(postgres_url: str, attempt: int) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE sample (id int)")


def test_database_stores_any_text(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT '錠剤 💊'").fetchone() == ("錠剤 💊",)


def test_database_is_dropped_although_somebody_is_connected(postgresql: servers.PostgreSQL) -> None:
    with postgresql.new_database() as url:
        connection = psycopg.connect(url)
    with connection, pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_test_gets_an_empty_redis(redis_url: str, attempt: int) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


@pytest.mark.usefixtures("postgresql", "redis_server")  # skipped where they are missing
def test_interrupted_run_leaves_no_server(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_waiting.py").write_text(WAITING)
    command = (sys.executable, "-m", "pytest", "-q", "-s", "-c", str(ROOT / "pyproject.toml"), str(tmp_path))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        line = next(line for line in run.stdout if line.startswith("pids"))
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    _, pid, folder = line.split()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert not Path(folder).exists()


def test_missing_server_skips_its_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"Redis is not on this machine: run `python3 scripts/setup.py"):
        servers.missing("Redis")


def test_missing_server_fails_its_tests_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"run `python3 scripts/setup.py label-studio`"):
        servers.missing("Label Studio")
