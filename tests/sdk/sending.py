"""The parts that send, on a real spool: stepped by hand or by their own thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from feedback_sdk.drops import Drop, Drops
from feedback_sdk.preparation import Preparation
from feedback_sdk.sender import Sender, SenderOptions
from feedback_sdk.sender.batches import BatchSize
from feedback_sdk.sender.delivery import Delivery
from feedback_sdk.sender.line import Line
from feedback_sdk.sender.wanted import WantedImages
from feedback_sdk.spool import Spool
from feedback_sdk.spool.segment import Kind
from feedback_sdk.transport import Transport
from feedback_sdk.types import Feedback, Verdict
from feedback_sdk.wire import canonical_json
from tests.sdk.stand_in import KEY

CAPTURED_AT = "2026-11-20T12:00:00Z"


class Rig:
    """A spool, and what brings it to a transport, one step at a time and without the waits."""

    def __init__(
        self,
        folder: Path,
        transport: Transport,
        *,
        before_send: Callable | None = None,
        withholds_images: bool = False,
        bytes_per_second: float | None = None,
        max_bytes: int = 4 << 20,
    ) -> None:
        self.told: list[Drop] = []
        drops = Drops(self.told.append)
        self.spool = Spool(folder, max_bytes=256 << 20, max_age_seconds=86400.0, on_drop=drops.tell)
        self.preparation = Preparation(spool=self.spool, drops=drops, before_send=before_send)
        self.line = Line(transport, api_key=KEY, bytes_per_second=bytes_per_second)
        self.wanted = WantedImages(self.spool, self.line, drops=drops)
        self.sizes = BatchSize(max_records=50, max_bytes=max_bytes)
        self.delivery = Delivery(
            self.spool,
            self.line,
            preparation=self.preparation,
            wanted=self.wanted,
            drops=drops,
            sizes=self.sizes,
            withholds_images=withholds_images,
        )

    def sample(self, image: bytes = b"", *, sample_id: str | None = None) -> str:
        return append_sample(self.spool, image, sample_id=sample_id)

    def feedback(self, sample_id: str, *, verdict: str = "rejected") -> str:
        return append_feedback(self.spool, sample_id, verdict=verdict)

    def step(self) -> float | None:
        """Do what the sender's thread does with an open circuit, then one step."""
        return self.line.probe() or self.delivery.step()

    def run(self, *, steps: int = 1000) -> list[float]:
        """Step until there is nothing to do; return the waits."""
        waits = []
        while len(waits) < steps and (wait := self.step()) is not None:
            waits.append(wait)
        return waits

    def quarantined(self) -> list[str]:
        path = self.spool.folder / "quarantine.jsonl"
        return path.read_text().splitlines() if path.exists() else []


def append_sample(spool: Spool, image: bytes = b"", *, sample_id: str | None = None) -> str:
    own_id = UUID(sample_id) if sample_id else uuid4()
    text = b'{"captured_at":"%b","id":"%b"}' % (CAPTURED_AT.encode(), str(own_id).encode())
    spool.append(Kind.SAMPLE, own_id.bytes, text, image)
    return str(own_id)


def append_feedback(spool: Spool, sample_id: str, *, verdict: str = "rejected") -> str:
    said = Feedback(id=uuid4(), sample_id=UUID(sample_id), verdict=Verdict(verdict))
    spool.append(Kind.FEEDBACK, UUID(sample_id).bytes, canonical_json(said))
    return str(said.id)


@contextmanager
def open_sender(folder: Path, transport: Transport, **options: object) -> Iterator[Sender]:
    """Run a sender's threads on a folder; stop them at the end."""
    drops = Drops(lambda _: None)
    spool = Spool(folder, max_bytes=256 << 20, max_age_seconds=86400.0, on_drop=drops.tell)
    given = SenderOptions(**{"api_key": KEY, "linger_seconds": 0.02, **options})
    sender = Sender(spool, transport, options=given, drops=drops, preparation=Preparation(spool=spool, drops=drops))
    yield sender
    sender.stop(0.2)
    sender.join(0.2)


def accept_sample(sender: Sender, image: bytes = b"", *, sample_id: str | None = None) -> str:
    own_id = UUID(sample_id) if sample_id else uuid4()
    text = canonical_json({"id": str(own_id), "captured_at": CAPTURED_AT})
    sender.accept(Kind.SAMPLE, own_id.bytes, text, image)
    return str(own_id)


def seconds_of(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun
