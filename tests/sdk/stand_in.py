"""A real HTTP server that keeps samples and feedback by id as Looks Wrong does, and what else the tests share."""

import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

from werkzeug.formparser import parse_form_data

KEY = "lw_k1_secret"


class Server:
    """Answers as Looks Wrong does: 201, 200 for the same again, 409 for other content; and as it is told."""

    def __init__(self, port: int = 0) -> None:
        self.samples: dict[str, tuple[bytes, bytes | None]] = {}
        self.feedback: dict[str, bytes] = {}
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        #: (status, headers, body) for the next calls, before it answers as usual
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.is_hanging = threading.Event()
        self.connections = 0
        self.open_connections: list[socket.socket] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self.is_hanging.clear()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def drop_connections(self) -> None:
        """Close every connection that a client keeps, as a server does with idle ones."""
        for connection in self.open_connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def take(self, handler: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        size = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(size)
        if len(body) < size:
            raise ConnectionAbortedError("the client died in the middle")
        self.bodies.append(body)
        self.headers.append(dict(handler.headers))
        while self.is_hanging.is_set():
            time.sleep(0.02)
        if self.answers:
            return self.answers.pop(0)
        if handler.command == "GET":
            return 200, {}, b'{"status": "ok"}'
        if handler.path == "/v1/feedback":
            return self._keep(self.feedback, json.loads(body)["id"], body, new=202)
        sample, image = read_multipart(handler.headers["Content-Type"], body)
        return self._keep(self.samples, json.loads(sample)["id"], (sample, image), new=201)

    def _keep(self, kept: dict, key: str, value: object, *, new: int) -> tuple[int, dict[str, str], bytes]:
        status = new if key not in kept else (200 if kept[key] == value else 409)
        kept.setdefault(key, value)
        return status, {}, b'{"image": "stored"}'


def read_multipart(content_type: str, body: bytes) -> tuple[bytes, bytes | None]:
    """Read a request as Flask does; return the sample's JSON and the image."""
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    _, form, files = parse_form_data(environ)
    if "image" not in files:
        return form["sample"].encode(), None
    with files["image"].stream as image:
        return form["sample"].encode(), image.read()


def _handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            server.connections += 1
            server.open_connections.append(self.request)
            super().setup()

        def do_POST(self) -> None:
            status, headers, body = server.take(self)
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def handle(self) -> None:
            with suppress(ConnectionError):  # clients are killed in these tests
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: a disk that fills up, without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def wait_until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until a condition holds; fail where it does not in time."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.01)
