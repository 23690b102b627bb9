"""The handle on a stand-in server in a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Deliveries:
    """How often each event of one run arrived."""

    counts: Mapping[str, int]

    @property
    def arrived(self) -> int:
        """How many different events arrived."""
        return len(self.counts)

    @property
    def repeats(self) -> int:
        """How many deliveries were one too many."""
        return sum(self.counts.values()) - len(self.counts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Books:
    """What the stand-in has stored of our wire."""

    samples: frozenset[str]
    feedback: frozenset[str]
    contents: Mapping[str, str]
    images: Mapping[str, str]
    conflicts: int
    received_bytes: int


class Server:
    """A stand-in server; `url` is where the libraries send to."""

    def __init__(self, *, port: int, control: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._control = control

    def order(self, mode: str, *, late_seconds: float = 0.0, upstream: str = "") -> None:
        """Change the server's behaviour; `mode` is one of stand_in.Mode, or `slow`: an answer after 3 s."""
        if mode == "slow":
            mode, late_seconds = "late", 3.0
        self._ask("POST", "/", {"mode": mode, "late_seconds": late_seconds, "upstream": upstream})

    def deliveries(self, run: str) -> Deliveries:
        """Return what arrived of one run."""
        answer = self._ask("GET", f"/deliveries?run={run}")
        assert isinstance(answer["deliveries"], dict)
        return Deliveries(counts=answer["deliveries"])

    def books(self) -> Books:
        """Return what is stored."""
        answer = json.loads(json.dumps(self._ask("GET", "/books?run=none")))
        return Books(
            samples=frozenset(answer["samples"]),
            feedback=frozenset(answer["feedback"]),
            contents=answer["contents"],
            images=answer["images"],
            conflicts=answer["conflicts"],
            received_bytes=answer["received_bytes"],
        )

    def await_deliveries(self, run: str, count: int, *, seconds: float) -> Deliveries:
        """Wait until `count` events arrived, for `seconds` at most."""
        give_up_at = time.monotonic() + seconds
        while (found := self.deliveries(run)).arrived < count and time.monotonic() < give_up_at:
            time.sleep(_LOOK_SECONDS)
        return found

    def _ask(self, method: str, path: str, fields: Mapping[str, object] | None = None) -> Mapping[str, object]:
        connection = HTTPConnection("127.0.0.1", self._control, timeout=60)
        connection.request(method, path, body=json.dumps(fields) if fields else None)
        with connection.getresponse() as answer:
            found: Mapping[str, object] = json.loads(answer.read())
        connection.close()
        return found


@contextmanager
def serving(mode: str = "ok") -> Iterator[Server]:
    """Run a stand-in server for a while."""
    command = [sys.executable, str(Path(__file__).with_name("stand_in.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        server = Server(port=ports["port"], control=ports["control"])
        try:
            server.order(mode)
            yield server
        finally:
            process.kill()
