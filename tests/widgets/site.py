"""A small site: it serves the element's files and pages that use it, and stands in for the server's two calls."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

WIDGETS = Path(__file__).parents[2] / "widgets"
SAMPLE = "0199c0de-0000-4000-8000-000000000001"
OTHER_SAMPLE = "0199c0de-0000-4000-8000-000000000002"
TOKEN = "v1.k1.f.token"
#: the strictest policy under which an app can still show its own image and speak to one server
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
TYPES = {".js": "text/javascript", ".html": "text/html", ".css": "text/css", ".jpg": "image/jpeg"}


class Site:
    """What the site serves, how it answers posts, and what was posted."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        #: whether pages have the strictest policy; it would forbid what some tests are about
        self.is_policed = True
        self.status = 202
        self.headers: Mapping[str, str] = {}
        #: posts wait for it before they are recorded and answered
        self.is_open = threading.Event()
        self.is_open.set()
        self.posts: list[dict] = []
        self.shown: list[dict] = []
        self.requests: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def add_page(self, path: str, body: str, *, script: str = "/widgets/looks-wrong.js", head: str = "") -> None:
        """Serve a page with the element's script; `head` goes in front of it."""
        self.files[path] = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pills</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">{head}'
            f'<script type="module" src="{script}"></script></head>'
            f"<body><main><h1>Pills</h1>{body}</main></body></html>"
        ).encode()

    @property
    def stored(self) -> dict[str, dict]:
        """What a server keeps: the first of each id that it took."""
        return {post["id"]: post for post in reversed(self.posts) if post["answered"] == 202}

    @property
    def verdicts(self) -> list[str]:
        """What was stored, in order of arrival."""
        first = {post["id"]: post["verdict"] for post in self.posts if post["answered"] == 202}
        return list(first.values())

    def deliveries(self) -> Counter[str]:
        """How often each answer came."""
        return Counter(post["id"] for post in self.posts)


def element(extra: str = "", *, sample: str = SAMPLE, inside: str = "") -> str:
    """Return the element's tag."""
    return f'<looks-wrong sample="{sample}" token="{TOKEN}" {extra}>{inside}</looks-wrong>'


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.site.requests.append(f"GET {path}")
        content = self.site.files.get(path) or self._file(path)
        suffix = Path(path).suffix or ".html"
        self._answer(200 if content else 404, content or b"", {"Content-Type": TYPES.get(suffix, "text/plain")})

    def do_POST(self) -> None:
        self.site.requests.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.site.is_open.wait(20)
        post = {**json.loads(body), "answered": self.site.status, "body_bytes": len(body)}
        post |= {"type": self.headers["Content-Type"], "cookie": self.headers["Cookie"]}
        if self.path == "/v1/shown":
            self.site.shown.append(post)
        else:
            UUID(post["id"])
            self.site.posts.append(post)
        self._answer(self.site.status, b"{}", self.site.headers)

    def do_OPTIONS(self) -> None:
        self.site.requests.append(f"OPTIONS {self.path}")
        self._answer(403, b"", {})

    def _file(self, path: str) -> bytes | None:
        file = WIDGETS / path.removeprefix("/widgets/")
        return file.read_bytes() if path.startswith("/widgets/") and file.is_file() else None

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        given = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
        if self.command == "GET" and self.site.is_policed:
            given["Content-Security-Policy"] = POLICY
        for name, value in (given | dict(headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        try:
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            self.close_connection = True  # the page is gone, which is what some tests are about

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of a browser that hung up."""


@contextmanager
def running() -> Iterator[Site]:
    """Run a site on a port of its own."""
    site = Site()
    server = _Server(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site}))
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.is_open.set()
        server.shutdown()
        server.server_close()
        thread.join()
