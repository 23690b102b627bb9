"""Real processes that are killed, forked and left at exit: what was captured arrives, once."""

import json
import os
import signal
import time

import pytest

from tests.sdk.stand_in import Server, wait_until


def ids_of(process) -> list[str]:
    output, _ = process.communicate(timeout=20)
    return output.split()


def test_every_capture_that_returned_survives_sigkill(start_app, make_client, free_port):
    url = f"http://127.0.0.1:{free_port}"
    app = start_app(
        """
        while True:
            sys.stdout.write(client.log_prediction(os.urandom(3000)) + "\\n")
            sys.stdout.flush()
        """,
        url=url,
    )
    lines = [app.stdout.readline() for _ in range(300)]
    app.send_signal(signal.SIGKILL)
    captured = [line.strip() for line in [*lines, *app.communicate()[0].splitlines()] if len(line.strip()) == 36]
    server = Server(free_port)
    assert make_client(url).flush(30)
    # One more may have been stored than was printed.
    assert set(captured) <= set(server.samples)
    assert len(server.samples) <= len(captured) + 1
    server.stop()


def test_a_process_killed_while_sending_sends_each_sample_once(start_app, server, make_client):
    app = start_app(
        "print(*[client.log_prediction(b'x' * 500) for _ in range(200)], flush=True); time.sleep(60)", url=server.url
    )
    ids = app.stdout.readline().split()
    wait_until(lambda: len(server.samples) > 20)
    app.send_signal(signal.SIGKILL)
    app.wait()
    assert make_client(server.url).flush(30)
    assert list(server.samples) == ids
    # The batch that was under way may come twice, with the same bytes.
    assert len(server.arrivals) <= 250
    assert len(set(server.arrivals)) == 200


def test_a_normal_exit_delivers_without_a_close(start_app, server):
    app = start_app("print(client.log_prediction(b'image'))", url=server.url)
    assert ids_of(app) == list(server.samples)
    assert app.returncode == 0


@pytest.mark.parametrize("is_hanging", [True, False], ids=["hanging", "refused"])
def test_exit_takes_no_longer_than_its_budget(start_app, server, free_port, is_hanging):
    server.is_hanging.set()
    url = server.url if is_hanging else f"http://127.0.0.1:{free_port}"
    app = start_app("client.log_prediction(); time.sleep(0.5); print('end', flush=True)", url=url)
    assert app.stdout.readline() == "end\n"
    begun = time.monotonic()
    app.wait(10)
    assert time.monotonic() - begun < 1.5  # the client's 0.4 s, and the interpreter's own end on a busy machine


def test_what_an_exit_left_arrives_with_the_next_start(start_app, make_client, free_port):
    url = f"http://127.0.0.1:{free_port}"
    ids = ids_of(start_app("print(*[client.log_prediction(b'image') for _ in range(10)])", url=url))
    server = Server(free_port)
    assert make_client(url).flush(10)
    assert list(server.samples) == ids
    server.stop()


FORK = """
    client.log_prediction(id='00000000-0000-0000-0000-000000000001')
    {before}
    child = os.fork()
    if child == 0:
        client.log_prediction(id='00000000-0000-0000-0000-000000000002')
        delivered = client.flush(10)
        {end}
    os.waitpid(child, 0)
    client.log_prediction(id='00000000-0000-0000-0000-000000000003')
    client.flush(10)
"""


@pytest.mark.parametrize("before", ["client.flush(10)", "pass"], ids=["idle", "sending"])
@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)"])
def test_parent_and_child_of_a_fork_each_send_their_own_once(start_app, server, before, end):
    app = start_app(FORK.format(before=before, end=end), url=server.url)
    assert app.wait(30) == 0
    assert sorted(sample_id[-1] for sample_id in server.samples) == ["1", "2", "3"]
    assert len(server.arrivals) == 3


def test_a_child_that_dies_at_once_leaves_its_captures_to_the_living(start_app, server):
    text = """
    if os.fork() == 0:
        client.log_prediction()
        os._exit(0)
    os.wait()
    from feedback_sdk import FeedbackClient
    FeedbackClient().flush(10)
    """
    app = start_app(text, url=server.url)
    assert app.wait(30) == 0
    assert len(server.samples) == 1


def test_a_childs_copies_do_not_keep_the_parents_segments_locked(start_app, make_client, server, free_port):
    url = f"http://127.0.0.1:{free_port}"
    text = """
    print(client.log_prediction(), flush=True)
    if os.fork() == 0:
        print('child', os.getpid(), flush=True)
        time.sleep(30)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    app = start_app(text, url=url)
    lines = [app.stdout.readline().split() for _ in range(2)]
    app.wait()
    child = next(int(line[1]) for line in lines if line[0] == "child")
    assert make_client(server.url).flush(10)
    assert len(server.samples) == 1
    os.kill(child, signal.SIGKILL)


def test_forks_under_fire_neither_hang_nor_lose(start_app, server):
    text = """
    import threading
    stop = threading.Event()
    def fire():
        while not stop.is_set():
            client.log_prediction(b'x' * 2000)
            time.sleep(0.002)
    threads = [threading.Thread(target=fire) for _ in range(3)]
    [thread.start() for thread in threads]
    for _ in range(15):
        child = os.fork()
        if child == 0:
            client.confirm('00000000-0000-0000-0000-000000000001')
            os._exit(0 if client.flush(20) else 1)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    [thread.join() for thread in threads]
    assert client.flush(30)
    print(client.stats().accepted)
    """
    app = start_app(text, url=server.url)
    output, _ = app.communicate(timeout=50)
    assert app.returncode == 0
    assert len(server.samples) == int(output)
    assert len(server.feedback) == 15


def test_a_capture_in_a_signal_handler_does_not_deadlock(start_app, server):
    text = """
    signal.signal(signal.SIGALRM, lambda *_: client.confirm('00000000-0000-0000-0000-000000000001'))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    for _ in range(300):
        client.log_prediction(b'x' * 1000)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert client.flush(30)
    print(client.stats().accepted)
    """
    app = start_app(text, url=server.url)
    output, _ = app.communicate(timeout=40)
    assert app.returncode == 0
    assert len(server.samples) + len(server.feedback) == int(output)


def test_the_key_is_never_on_disk(start_app, tmp_path, free_port):
    start_app("client.log_prediction(b'image')", url=f"http://127.0.0.1:{free_port}").wait(20)
    files = list((tmp_path / "spool").iterdir())
    assert files
    assert not any(b"secret" in path.read_bytes() for path in files)


def test_two_processes_at_once_share_a_folder(start_app, server):
    apps = [
        start_app("print(*[client.log_prediction() for _ in range(50)]); client.flush(20)", url=server.url)
        for _ in range(2)
    ]
    ids = {sample_id for app in apps for sample_id in ids_of(app)}
    assert set(server.samples) == ids
    assert len(server.arrivals) == len(ids) == 100
    assert all(json.loads(text)["id"] in ids for text, _ in server.samples.values())
