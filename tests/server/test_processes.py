import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Timer

import pytest

from queue_server import processes
from queue_server.errors import ProcessError
from queue_server.processes import Command, Process, free_port, is_port_free, process_identity, stop_orphan

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")
#: ends only when killed
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
)
#: starts a child of its own, says its pid and dies at SIGTERM without it
PARENT_PROGRAM = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""
PARENT = (sys.executable, "-c", PARENT_PROGRAM)


def web_server(folder: Path, port: int, **more: object) -> Command:
    argv = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder))
    return Command(name="web", argv=argv, ready_url=f"http://127.0.0.1:{port}/", log_file=folder / "log", **more)


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def test_command_without_a_program_is_refused() -> None:
    with pytest.raises(ProcessError, match="argv must name a program, got nothing"):
        Command(name="nothing", argv=())


def test_program_that_does_not_exist_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=r"ghost must start, got .*no-such-program"):
        Process(Command(name="ghost", argv=(str(tmp_path / "no-such-program"),)))


def test_process_is_ready_when_its_url_answers(tmp_path: Path) -> None:
    with Process(web_server(tmp_path, free_port())) as process:
        process.wait_until_ready(timeout_seconds=30)
        assert processes.answers(process.command.ready_url)
        assert process.exit_code is None


def test_process_without_a_ready_url_is_ready_at_once() -> None:
    with Process(Command(name="sleeper", argv=SLEEPER)) as process:
        process.wait_until_ready(timeout_seconds=0)
        assert process.exit_code is None


def test_process_that_ends_early_is_explained_by_the_end_of_its_log(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", "import sys; sys.exit('the disk is full')")
    url = f"http://127.0.0.1:{free_port()}/"
    command = Command(name="early", argv=argv, ready_url=url, log_file=tmp_path / "log")
    with Process(command) as process, pytest.raises(ProcessError) as raised:
        process.wait_until_ready(timeout_seconds=30)
    assert f"early must answer at {url}, but ended with code 1" in str(raised.value)
    assert "the disk is full" in str(raised.value)


def test_process_that_never_answers_is_given_up_at_the_deadline() -> None:
    command = Command(name="mute", argv=SLEEPER, ready_url=f"http://127.0.0.1:{free_port()}/")
    with Process(command) as process, pytest.raises(ProcessError, match=r"within 0\.2 s"):
        process.wait_until_ready(timeout_seconds=0.2)


def test_password_of_the_ready_url_stays_out_of_the_error() -> None:
    command = Command(name="mute", argv=SLEEPER, ready_url=f"redis://:hush@127.0.0.1:{free_port()}/0")
    with Process(command) as process, pytest.raises(ProcessError) as raised:
        process.wait_until_ready(timeout_seconds=0.1)
    assert "hush" not in str(raised.value)
    assert ":…@127.0.0.1" in str(raised.value)


def test_stop_event_ends_the_waiting() -> None:
    stop_event = Event()
    Timer(0.1, stop_event.set).start()
    command = Command(name="mute", argv=SLEEPER, ready_url=f"http://127.0.0.1:{free_port()}/")
    with Process(command) as process:
        process.wait_until_ready(timeout_seconds=30, stop_event=stop_event)
        assert process.exit_code is None


def test_redis_is_ready_when_it_answers_with_pong(redis_server: str) -> None:
    assert processes.answers(redis_server)
    assert not processes.answers(f"redis://127.0.0.1:{free_port()}/0")


@pytest.mark.parametrize(
    ("answer", "is_ready"),
    [
        (b"", False),
        (b"no HTTP at all\r\n\r\n", False),
        (b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 204 Empty\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
    ],
)
def test_server_is_ready_only_with_status_200(answer: bytes, is_ready: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = f"from queue_server.processes import answers; print(answers('http://127.0.0.1:{port}/'))"
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as asking:
            link, _ = listener.accept()
            with link:
                link.recv(4096)
                link.sendall(answer)
            assert asking.communicate(timeout=30)[0].strip() == str(is_ready)


def test_environment_is_added_to_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "one")
    program = "import os; print(os.environ['INHERITED'], os.environ['ADDED'], os.getcwd())"
    command = Command(
        name="env",
        argv=(sys.executable, "-c", program),
        environment={"ADDED": "two"},
        log_file=tmp_path / "log",
        working_dir=tmp_path,
    )
    with Process(command) as process:
        wait_for(lambda: process.exit_code is not None)
        assert process.log_tail() == f"one two {tmp_path.resolve()}"


def test_log_tail_holds_the_last_lines_only(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", "for i in range(30_000): print('line', i)")
    with Process(Command(name="chatty", argv=argv, log_file=tmp_path / "log")) as process:
        wait_for(lambda: process.exit_code is not None)
        assert process.log_tail(lines=2) == "line 29998\nline 29999"


def test_log_tail_without_a_log_file_is_empty() -> None:
    with Process(Command(name="sleeper", argv=SLEEPER)) as process:
        assert process.log_tail() == ""


def test_stop_asks_first() -> None:
    process = Process(Command(name="sleeper", argv=SLEEPER))
    process.stop()
    assert process.exit_code == -signal.SIGTERM


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    process = Process(Command(name="stubborn", argv=STUBBORN, log_file=tmp_path / "log"))
    wait_for(process.log_tail)
    process.stop(grace_seconds=0.2)
    assert process.exit_code == -signal.SIGKILL


def test_stop_reaches_the_children_of_the_process(tmp_path: Path) -> None:
    process = Process(Command(name="parent", argv=PARENT, log_file=tmp_path / "log"))
    wait_for(process.log_tail)
    process.stop()
    wait_for(lambda: process_identity(int(process.log_tail())) is None)


def test_second_stop_does_nothing() -> None:
    process = Process(Command(name="sleeper", argv=SLEEPER))
    process.stop()
    process.stop()
    assert process.exit_code == -signal.SIGTERM


def test_ctrl_c_reaches_the_owner_alone(tmp_path: Path) -> None:
    with Process(Command(name="sleeper", argv=SLEEPER)) as process:
        assert os.getpgid(process.pid) == process.pid
        assert os.getsid(process.pid) == process.pid


def test_pid_file_names_the_process_while_it_runs(tmp_path: Path) -> None:
    pid_file = tmp_path / "run" / "sleeper.pid"
    with Process(Command(name="sleeper", argv=SLEEPER, pid_file=pid_file)) as process:
        assert json.loads(pid_file.read_text()) == {"pid": process.pid, "identity": process_identity(process.pid)}
    assert not pid_file.exists()


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"pid": "x", "identity": "y"}', '{"pid": 1, "identity": null}']
)
def test_orphan_of_an_unreadable_pid_file_is_no_orphan(tmp_path: Path, content: str | None) -> None:
    pid_file = tmp_path / "pid"
    if content is not None:
        pid_file.write_text(content)
    assert not stop_orphan(pid_file)
    assert not pid_file.exists()


def test_orphan_is_stopped_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    process = Process(Command(name="parent", argv=PARENT, log_file=tmp_path / "log", pid_file=pid_file))
    wait_for(process.log_tail)
    assert stop_orphan(pid_file)
    wait_for(lambda: process_identity(int(process.log_tail())) is None)
    assert not pid_file.exists()
    process.stop()


def test_stubborn_orphan_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    process = Process(Command(name="stubborn", argv=STUBBORN, log_file=tmp_path / "log", pid_file=pid_file))
    wait_for(process.log_tail)
    assert stop_orphan(pid_file, grace_seconds=0.2)
    assert process.exit_code == -signal.SIGKILL
    process.stop()


def test_stranger_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with Process(Command(name="stranger", argv=SLEEPER)) as stranger:
        pid_file.write_text(json.dumps({"pid": stranger.pid, "identity": "another start time"}))
        assert not stop_orphan(pid_file)
        assert stranger.exit_code is None


def test_identity_of_a_process_does_not_change() -> None:
    first = process_identity(os.getpid())
    assert first is not None
    assert process_identity(os.getpid()) == first


def test_ended_process_has_no_identity_even_before_it_is_reaped() -> None:
    process = Process(Command(name="short", argv=(sys.executable, "-c", "")))
    wait_for(lambda: process_identity(process.pid) is None)
    process.stop()


def test_free_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert is_port_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_port_free(port)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can choose the account of a process")
def test_root_can_run_a_process_as_another_account(tmp_path: Path) -> None:
    command = Command(
        name="other",
        argv=("/bin/sh", "-c", "id -u; id -g; id -G"),
        user="nobody",
        log_file=tmp_path / "log",
        working_dir=Path("/"),
    )
    account = pwd.getpwnam("nobody")
    with Process(command) as process:
        wait_for(lambda: process.exit_code is not None)
        assert process.log_tail().split() == [str(account.pw_uid), str(account.pw_gid), str(account.pw_gid)]
