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
from urllib.parse import parse_qs

from werkzeug.formparser import parse_form_data

KEY = "lw_k1_secret"


#: status, headers and body
Reply = tuple[int, dict[str, str], bytes]


class Server:
    """Answers as Looks Wrong does: 201, 200 for the same again, 409 for other content; and as it is told."""

    def __init__(self, port: int = 0) -> None:
        self.samples: dict[str, tuple[bytes, bytes | None]] = {}
        self.feedback: dict[str, bytes] = {}
        #: the id of each sample and feedback that came, again and again where it came again
        self.arrivals: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        #: method and path of each call, without its query
        self.calls: list[str] = []
        self.queries: list[str] = []
        #: (status, headers, body) for the next calls, before it answers as usual
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        #: a status for each call of a path, or for each sample of an id, for as long as it stands here
        self.faults: dict[str, int] = {}
        #: the samples whose image is wanted if it did not come
        self.wanted: set[str] = set()
        #: the feed of changes, in order
        self.changes: list[dict[str, object]] = []
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

    def take(self, handler: BaseHTTPRequestHandler) -> Reply:
        size = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(size)
        if len(body) < size:
            raise ConnectionAbortedError("the client died in the middle")
        path, _, query = handler.path.partition("?")
        self.bodies.append(body)
        self.headers.append(dict(handler.headers))
        self.calls.append(f"{handler.command} {path}")
        self.queries.append(query)
        while self.is_hanging.is_set():
            time.sleep(0.02)
        if self.answers:
            return self.answers.pop(0)
        if path in self.faults:
            return _json(self.faults[path], {"title": "told so"})
        if handler.command == "GET":
            return _json(200, self._changes(parse_qs(query)) if path == "/v1/samples/changes" else {"status": "ok"})
        return self._take(path, handler.headers.get("Content-Type", ""), body)

    def _take(self, path: str, content_type: str, body: bytes) -> Reply:
        if path == "/v1/feedback":
            return _json(self._take_feedback(body), {"status": "accepted"})
        if path == "/v1/samples/wanted":
            return _json(200, self._wanted_of(json.loads(body)["ids"]))
        if path.endswith("/image"):
            return self._take_image(path.split("/")[3], body)
        texts, images = read_form(content_type, body)
        if path == "/v1/samples/batch":
            return _json(207, {"results": [self._take_sample(text, images) for text in texts]})
        taken = self._take_sample(texts[0], images)
        return _json(taken["status"], taken)

    def _take_sample(self, text: bytes, images: dict[str, bytes]) -> dict[str, object]:
        sample_id = json.loads(text)["id"]
        self.arrivals.append(sample_id)
        image = images.get(sample_id, images.get("image"))
        known_text, known_image = self.samples.get(sample_id, (text, image))
        is_same = known_text == text and (image is None or known_image in (None, image))
        status = self.faults.get(sample_id) or (409 if not is_same else 200 if sample_id in self.samples else 201)
        if status < 300:
            self.samples[sample_id] = (text, known_image or image)
        return {"id": sample_id, "status": status, "image": self._need(sample_id), "errors": []}

    def _take_feedback(self, body: bytes) -> int:
        said = json.loads(body)
        self.arrivals.append(said["id"])
        known = json.loads(self.feedback.setdefault(said["id"], body))
        return 202 if {**known, "age_ms": 0} == {**said, "age_ms": 0} else 409

    def _take_image(self, sample_id: str, image: bytes) -> Reply:
        if sample_id not in self.samples:
            return 404, {"Content-Type": "application/problem+json"}, b'{"title": "no such sample"}'
        self.samples[sample_id] = (self.samples[sample_id][0], image)
        return _json(201, {"id": sample_id, "state": "queued", "image": "stored"})

    def _need(self, sample_id: str) -> str:
        if self.samples.get(sample_id, (b"", None))[1] is not None:
            return "stored"
        return "wanted" if sample_id in self.wanted else "not_yet"

    def _wanted_of(self, ids: list[str]) -> dict[str, list[str]]:
        needs = {sample_id: self._need(sample_id) for sample_id in ids}
        return {word: [one for one in ids if needs[one] == word] for word in ("wanted", "stored")}

    def _changes(self, query: dict[str, list[str]]) -> dict[str, object]:
        if "id" in query:
            latest = {change["id"]: change for change in self.changes if change["id"] in query["id"]}
            return {"changes": list(latest.values()), "cursor": ""}
        after = int(query.get("after", ["0"])[0])
        page = self.changes[after : after + int(query["limit"][0])]
        return {"changes": page, "cursor": str(after + len(page))}


def _json(status: int, document: object) -> Reply:
    return status, {}, json.dumps(document).encode()


def read_form(content_type: str, body: bytes) -> tuple[list[bytes], dict[str, bytes]]:
    """Read a request as Flask does; return the samples' JSON, and the images by file name."""
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    _, form, files = parse_form_data(environ)
    images = {}
    for upload in files.getlist("image"):
        with upload.stream as image:
            images[upload.filename or ""] = image.read()
    return [text.encode() for text in form.getlist("sample")], images


def read_multipart(content_type: str, body: bytes) -> tuple[bytes, bytes | None]:
    """Return the JSON and the image of a request that brings one sample."""
    [text], images = read_form(content_type, body)
    return text, images.get("image")


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

        def do_PUT(self) -> None:
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
