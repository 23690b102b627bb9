"""A server that gives pages the button's files and keeps what they post; of Python alone."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEY = "lw_k1_secret"
SAMPLE = "0e7c3a52-54b5-4e0c-8c4f-0d3f6f7f0001"


class StandIn:
    """Answers 202 to every post; pages of any origin may ask."""

    def __init__(self, folder: Path = ROOT) -> None:
        #: path and body of each post
        self.posts: list[tuple[str, dict]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_handler_of(self), directory=str(folder)))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def feedback(self) -> list[dict]:
        return [body for path, body in self.posts if path == "/v1/feedback"]


def _handler_of(server: StandIn) -> type[SimpleHTTPRequestHandler]:
    class Handler(SimpleHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.posts.append((self.path, json.loads(body)))
            self.send_response(202)
            self.end_headers()

        def end_headers(self) -> None:
            self.send_header("Access-Control-Allow-Origin", "*")
            super().end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextmanager
def running(arguments: list[str], *, port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Run a Python program that listens on a port; its address."""
    more = {"PYTHONPATH": str(ROOT), "LOOKSWRONG_SPOOL_DIR": str(folder / "spool"), "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=os.environ | more | environment, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _listens(port), seconds=60, process=process, log=folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(
    is_done: Callable[[], bool],
    *,
    seconds: float = 10.0,
    process: "subprocess.Popen[bytes] | None" = None,
    log: Path | None = None,
) -> None:
    """Wait until something holds; fail where it does not in time, or where the process ended, with what it said."""
    give_up_at = time.monotonic() + seconds
    while not is_done():
        has_ended = process is not None and process.poll() is not None
        if has_ended or time.monotonic() > give_up_at:
            raise AssertionError(f"waited in vain\n{log.read_text()[-2000:] if log else ''}")
        time.sleep(0.02)
