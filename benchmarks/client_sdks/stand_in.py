"""The server that stands in for all: one process that answers every library's protocol with success, and counts.

Every driver puts a marker into each event, so one search over the decompressed body counts them all. A second port
takes orders: the mode (below), and questions about what arrived. It ends when its standard input does.
"""

import json
import re
import socket
import sys
import threading
import time
import zlib
from collections import Counter
from contextlib import suppress
from enum import StrEnum
from gzip import decompress as gunzip
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).absolute().parents[2]))

from benchmarks.client_sdks.looks_wrong import Answer, LooksWrong

_MARKER = re.compile(rb"lwm-([a-z0-9]+)-\d{6,}-z")
_LOOK_SECONDS = 0.02


class Mode(StrEnum):
    """How the server behaves."""

    OK = "ok"
    #: nothing listens
    REFUSE = "refuse"
    #: takes the request and never answers
    HANG = "hang"
    #: takes the request, keeps it, and answers after a while
    LATE = "late"
    ERROR = "500"
    BUSY = "429"


class StandIn:
    """What the server's threads share."""

    def __init__(self) -> None:
        self.mode = Mode.OK
        self.late_seconds = 0.0
        #: host:port of a real server that gets what comes in, in place of our own books
        self.upstream = ""
        self.deliveries: Counter[str] = Counter()
        self.received_bytes = 0
        self.looks_wrong = LooksWrong()
        self.lock = threading.Lock()
        self.connections: set[socket.socket] = set()
        self._open(port=0)
        self.port = int(self._http.server_address[1])
        self._listen()

    def order(self, *, mode: Mode, late_seconds: float, upstream: str) -> None:
        """Change the server's behaviour."""
        was, self.mode = self.mode, mode
        self.late_seconds, self.upstream = late_seconds, upstream
        if mode is Mode.REFUSE and was is not Mode.REFUSE:
            self._http.shutdown()
            self._http.server_close()
            self._hang_up()
            self._open(port=self.port)  # bound, but not listening: refused, and nobody else takes the port
        elif was is Mode.REFUSE and mode is not Mode.REFUSE:
            self._listen()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer | None:
        """Keep what came and return the answer; None: hang up without one."""
        if self.mode in (Mode.ERROR, Mode.BUSY):
            return Answer(status=int(self.mode), headers={"Retry-After": "60"} if self.mode is Mode.BUSY else {})
        if self.mode is Mode.HANG:
            while self._is_in(Mode.HANG):
                time.sleep(_LOOK_SECONDS)
            return None
        answer = self._keep(handler, body)
        if self.mode is Mode.LATE:
            time.sleep(self.late_seconds)
        return answer

    def _is_in(self, mode: Mode) -> bool:
        return self.mode is mode

    def _keep(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
        text = _decompressed(body, handler.headers.get("Content-Encoding", ""))
        with self.lock:
            self.received_bytes += len(body)
            self.deliveries.update({found.group().decode() for found in _MARKER.finditer(text)})
            if not self.upstream and (own := self.looks_wrong.answer(handler, text)):
                return own
        if self.upstream:
            return _forwarded(self.upstream, handler, body)
        return _foreign(handler.path, handler.headers.get("Host", ""))

    def _open(self, *, port: int) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self), bind_and_activate=False)
        self._http.daemon_threads = True
        self._http.request_queue_size = 128
        self._http.server_bind()

    def _listen(self) -> None:
        self._http.server_activate()
        threading.Thread(target=self._http.serve_forever, args=(_LOOK_SECONDS,), daemon=True).start()

    def _hang_up(self) -> None:
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        if len(body) < size:  # the client died in the middle
            self.close_connection = True
            return
        answer = self.respond(body)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815  # named by http.server

    def respond(self, body: bytes) -> Answer | None:
        """Return the answer, None to close without one; each server's own handler says."""
        raise NotImplementedError

    def handle(self) -> None:
        with suppress(OSError):  # clients are killed, and time out
            super().handle()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # named by http.server
        """Say nothing."""


def _handler_of(server: StandIn) -> type[_Handler]:
    class Handler(_Handler):
        def setup(self) -> None:
            with server.lock:
                server.connections.add(self.request)
            super().setup()

        def finish(self) -> None:
            super().finish()
            with server.lock:
                server.connections.discard(self.request)

        def respond(self, body: bytes) -> Answer | None:
            return server.answer(self, body)

    return Handler


def _control_of(server: StandIn) -> type[_Handler]:
    class Control(_Handler):
        def respond(self, body: bytes) -> Answer:
            if self.command == "POST":
                fields = json.loads(body)
                server.order(
                    mode=Mode(fields["mode"]), late_seconds=fields["late_seconds"], upstream=fields["upstream"]
                )
                return Answer(status=200)
            prefix = f"lwm-{parse_qs(urlsplit(self.path).query)['run'][0]}-"
            with server.lock:
                counts = {name: count for name, count in server.deliveries.items() if name.startswith(prefix)}
                books = server.looks_wrong.books() if self.path.startswith("/books") else {}
                report = {"deliveries": counts, "received_bytes": server.received_bytes, **books}
            return Answer(status=200, body=json.dumps(report).encode())

    return Control


def _decompressed(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gunzip(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding == "br":  # the library that sends it has the package installed
        plain: bytes = import_module("brotli").decompress(body)
        return plain
    return body


def _foreign(path: str, host: str) -> Answer:
    """Return what the other libraries' servers say on success."""
    if path.endswith(("/v1/logs", "/v1/traces")):
        return Answer(status=200, headers={"Content-Type": "application/x-protobuf"})
    if path == "/api/public/media":
        media = {"mediaId": "media", "uploadUrl": f"http://{host}/upload"}
        return Answer(status=200, body=json.dumps(media).encode())
    return Answer(status=200, body=b'{"status": 1, "success": true}')


def _forwarded(upstream: str, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
    connection = HTTPConnection(upstream, timeout=30)
    headers = {name: value for name, value in handler.headers.items() if name.lower() not in ("host", "connection")}
    connection.request(handler.command, handler.path, body=body, headers=headers)
    with connection.getresponse() as answer:
        kept = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
        return Answer(status=answer.status, headers=kept, body=answer.read())


def main() -> None:
    """Serve until standard input ends; the first line of output holds both ports."""
    server = StandIn()
    control = ThreadingHTTPServer(("127.0.0.1", 0), _control_of(server))
    control.daemon_threads = True
    threading.Thread(target=control.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.port, "control": control.server_address[1]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
