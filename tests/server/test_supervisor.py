import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
from redis import Redis

from queue_server.embedded_broker import broker_command, valkey_program
from queue_server.errors import ProcessError
from queue_server.processes import Command, Process, answers, free_port, process_identity
from queue_server.supervisor import Serving, children, claimed, pause_seconds, run, serve, web_argv, worker_argv

#: a supervisor with a real broker and a small web server; argv: its folder and the web server's port
SUPERVISOR = """
import sys
from pathlib import Path
from queue_server import embedded_broker, supervisor
from queue_server.processes import Command

folder, port = Path(sys.argv[1]), sys.argv[2]
with supervisor.claimed(folder):
    broker = embedded_broker.broker_command(folder / "broker", run_dir=folder)
    argv = (sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", str(folder))
    web = Command(name="web", argv=argv, ready_url=f"http://127.0.0.1:{port}/", pid_file=folder / "web.pid")
    supervisor.run((broker, web), on_ready=lambda: print("all ready", flush=True))
"""


class Supervised:
    """A supervisor in a process of its own, with what it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process = self.start()

    def start(self) -> Process:
        argv = (sys.executable, "-c", SUPERVISOR, str(self.folder), str(self.port))
        self.process = Process(Command(name="supervisor", argv=argv, log_file=self.folder / "supervisor.log"))
        wait_for(lambda: "all ready" in self.process.log_tail(lines=50) or self.process.exit_code is not None)
        return self.process

    def pid(self, child: str) -> int:
        return int(json.loads((self.folder / f"{child}.pid").read_text())["pid"])

    @property
    def broker_url(self) -> str:
        port, password = ((self.folder / "broker" / name).read_text() for name in ("port", "password"))
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def stop(self) -> None:
        self.process.stop()
        with claimed(self.folder):  # whatever a failed test left
            pass


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    server = Supervised(tmp_path)
    yield server
    server.stop()


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def test_nothing_to_run_waits_for_the_stop() -> None:
    code = "from queue_server.supervisor import run; run((), on_ready=lambda: print('ready', flush=True))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_stops_all_with_exit_code_0(supervised: Supervised, number: signal.Signals) -> None:
    children_pids = [supervised.pid("broker"), supervised.pid("web")]
    os.kill(supervised.process.pid, number)
    wait_for(lambda: supervised.process.exit_code is not None)
    assert supervised.process.exit_code == 0
    assert [process_identity(pid) for pid in children_pids] == [None, None]
    assert list(supervised.folder.glob("*.pid")) == []


def test_children_stop_in_reverse_order(supervised: Supervised) -> None:
    os.kill(supervised.process.pid, signal.SIGTERM)
    wait_for(lambda: supervised.process.exit_code is not None)
    log = supervised.process.log_tail(lines=100)
    stopped = [line for line in log.splitlines() if "stopped" in line]
    assert ["web" in stopped[0], "broker" in stopped[1]] == [True, True]


@pytest.mark.parametrize("child", ["broker", "web"])
def test_child_that_died_is_started_again(supervised: Supervised, child: str) -> None:
    old = supervised.pid(child)
    os.kill(old, signal.SIGKILL)
    url = supervised.broker_url if child == "broker" else f"http://127.0.0.1:{supervised.port}/"
    wait_for(lambda: (supervised.folder / f"{child}.pid").exists() and supervised.pid(child) != old and answers(url))
    assert supervised.process.exit_code is None


def test_broker_keeps_its_queue_when_it_is_killed(supervised: Supervised) -> None:
    with Redis.from_url(supervised.broker_url) as client:
        client.rpush("jobs", "push", "pull")
        client.execute_command("WAITAOF", 1, 0, 5000)
        os.kill(supervised.pid("broker"), signal.SIGKILL)
        wait_for(lambda: not answers(supervised.broker_url))
        wait_for(lambda: answers(supervised.broker_url))
        assert client.lrange("jobs", 0, -1) == [b"push", b"pull"]


def test_killed_supervisor_is_followed_by_one_on_the_same_ports(supervised: Supervised) -> None:
    old_pids, broker_url = [supervised.pid("broker"), supervised.pid("web")], supervised.broker_url
    os.kill(supervised.process.pid, signal.SIGKILL)
    wait_for(lambda: supervised.process.exit_code is not None)
    assert answers(broker_url), "the broker must outlive its supervisor for this test to mean something"
    supervised.start()
    assert supervised.process.exit_code is None
    assert [process_identity(pid) for pid in old_pids] == [None, None]
    assert supervised.broker_url == broker_url
    assert answers(broker_url)


def test_second_supervisor_on_a_folder_is_refused_and_harms_nothing(supervised: Supervised) -> None:
    with pytest.raises(ProcessError, match="must have one supervisor"), claimed(supervised.folder):
        pass
    assert answers(supervised.broker_url)


def test_child_that_never_becomes_ready_stops_the_others(tmp_path: Path) -> None:
    sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
    first = Command(name="first", argv=sleeper, pid_file=tmp_path / "first.pid")
    mute = Command(name="mute", argv=sleeper, ready_url=f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(ProcessError, match="mute must answer"):
        run((first, mute), ready_seconds=0.3)
    assert not (tmp_path / "first.pid").exists()


def test_pauses_grow_and_end_at_half_a_minute() -> None:
    assert [pause_seconds(failures) for failures in (1, 2, 3, 4, 7, 1000)] == [0.5, 1.0, 2.0, 4.0, 30.0, 30.0]


def test_child_that_dies_at_once_is_tried_with_pauses(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    program = "import sys; open(sys.argv[1], 'a').write('x')"
    command = f"""
from queue_server.processes import Command
from queue_server.supervisor import run
import sys
run((Command(name="short", argv=(sys.executable, "-c", {program!r}, {str(starts)!r})),))
"""
    with Process(Command(name="supervisor", argv=(sys.executable, "-c", command), log_file=tmp_path / "log")):
        wait_for(lambda: starts.exists() and starts.read_text() == "xxx")
        time.sleep(1)
        assert starts.read_text() == "xxx", "the third pause is two seconds"


def test_serve_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Serving(data_dir=tmp_path, port=listener.getsockname()[1])
        with pytest.raises(ProcessError, match="must be free, but something listens on it: give another --port"):
            serve(serving)
    assert list(tmp_path.glob("run/*.pid")) == []


def test_server_without_a_broker_url_gets_an_embedded_one(tmp_path: Path) -> None:
    commands = children(Serving(data_dir=tmp_path))
    assert [command.name for command in commands] == ["broker", "web", "worker"]
    assert {command.environment["LOOKSWRONG_BROKER_URL"] for command in commands[1:]} == {commands[0].ready_url}


def test_server_with_a_broker_url_runs_none(tmp_path: Path) -> None:
    commands = children(Serving(data_dir=tmp_path, broker_url="redis://queue:6379/1"))
    assert [command.name for command in commands] == ["web", "worker"]
    assert {command.environment["LOOKSWRONG_BROKER_URL"] for command in commands} == {"redis://queue:6379/1"}


def test_relative_data_folder_reaches_the_children_as_an_absolute_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    web = children(Serving(data_dir=Path("data"), broker_url="redis://queue"))[0]
    assert web.environment["LOOKSWRONG_DATA_DIR"] == str(tmp_path / "data")


@pytest.mark.parametrize(
    ("host", "bound", "asked"),
    [
        ("127.0.0.1", "127.0.0.1:8000", "http://127.0.0.1:8000/healthz"),
        ("0.0.0.0", "0.0.0.0:8000", "http://127.0.0.1:8000/healthz"),
        ("::", "[::]:8000", "http://[::1]:8000/healthz"),
        ("fd00::5", "[fd00::5]:8000", "http://[fd00::5]:8000/healthz"),
    ],
)
def test_web_process_listens_where_it_is_asked(tmp_path: Path, host: str, bound: str, asked: str) -> None:
    web = children(Serving(data_dir=tmp_path, host=host, broker_url="redis://queue"))[0]
    assert web.argv[web.argv.index("--bind") + 1] == bound
    assert web.ready_url == asked


def test_web_command_is_one_that_gunicorn_accepts() -> None:
    *options, app = web_argv(host="127.0.0.1", port=8000)
    assert app == "queue_server.app:create_app()"
    checked = subprocess.run(
        [*options, "--check-config", "flask:Flask('probe')"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_web_process_keeps_a_connection_longer_than_clients_leave_it_idle(tmp_path: Path) -> None:
    port = free_port()
    *options, _ = web_argv(host="127.0.0.1", port=port)
    url = f"http://127.0.0.1:{port}/"
    argv = (*options, "flask:Flask('probe')")
    with Process(Command(name="web", argv=argv, log_file=tmp_path / "log")) as web:
        wait_for(lambda: "Listening at" in web.log_tail(lines=50))
        with closing(HTTPConnection("127.0.0.1", port)) as client:
            client.connect()
            client.auto_open = False  # a closed one is not opened again
            for pause in (5.5, 0):
                client.request("GET", url)
                assert client.getresponse().read()
                time.sleep(pause)


def test_worker_sends_the_schedule_only_with_a_schedule_file(tmp_path: Path) -> None:
    assert "--beat" not in worker_argv()
    assert worker_argv(schedule_file=tmp_path / "schedule")[-3:] == ("--beat", "--schedule", str(tmp_path / "schedule"))


def test_broker_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    command = broker_command(tmp_path / "broker", run_dir=tmp_path)
    with Process(replace(command, log_file=tmp_path / "log")) as process:
        process.wait_until_ready(timeout_seconds=20)
        port = (tmp_path / "broker" / "port").read_text()
        assert answers(command.ready_url)
        assert not answers(f"redis://127.0.0.1:{port}/0")


def test_broker_password_is_not_on_its_command_line(tmp_path: Path) -> None:
    command = broker_command(tmp_path / "broker", run_dir=tmp_path)
    password = tmp_path / "broker" / "password"
    assert password.read_text() not in " ".join(command.argv)
    assert password.stat().st_mode & 0o077 == 0


def test_broker_takes_another_port_when_its_own_is_taken(tmp_path: Path) -> None:
    first = broker_command(tmp_path / "broker", run_dir=tmp_path)
    assert broker_command(tmp_path / "broker", run_dir=tmp_path).ready_url == first.ready_url
    port = int((tmp_path / "broker" / "port").read_text())
    with socket.create_server(("127.0.0.1", port)):
        assert f":{port}/" not in broker_command(tmp_path / "broker", run_dir=tmp_path).ready_url


def test_broker_is_the_valkey_of_the_wheel() -> None:
    shown = subprocess.run([valkey_program(), "--version"], capture_output=True, text=True, check=True)
    assert "Valkey server" in shown.stdout
