"""What the command tells a child process to do, and the events that children capture."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from json import dumps, loads
from random import Random

#: `wanted` samples of a hundred: the share that a server with a usual policy queues
WANTED_PERCENT = 3
IMAGE_BYTES = 200_000
#: so many different images: all that are prepared fit into memory
_IMAGES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One job of one child process."""

    action: str
    library: str
    url: str
    spool: str
    #: empty: any will do for the stand-in
    api_key: str = ""
    #: names the events of this task, so that the stand-in can tell them from all others
    run: str = "r"
    #: number of the first event
    first: int = 0
    count: int = 0
    #: so many events with images before those of `count`, captured at once
    backlog: int = 0
    #: pause between two captures
    pause_seconds: float = 0.0
    #: pause before what is timed, so that what the warm-up left to be sent is sent
    settle_seconds: float = 0.0
    #: stop capturing after this time
    limit_seconds: float = 600.0
    boxes: int = 1
    image_bytes: int = 0
    is_marked: bool = True
    #: the client's own time-out for a request; None: the library's default
    timeout_seconds: float | None = None
    #: `upload` of our client; empty: its default
    upload: str = ""
    #: no file of the child may grow beyond this; 0: no bound
    file_bytes: int = 0

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Task":
        """Read a task."""
        return Task(**loads(text))


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One prediction that an app captures."""

    number: int
    #: a text that stands in the event once, whatever the library makes of it; empty: none
    marker: str = ""
    boxes: int = 1
    image: bytes = b""


def marker(run: str, number: int) -> str:
    """Return the text by which the stand-in knows an event again.

    >>> marker("r", 7)
    'lwm-r-000007-z'
    """
    return f"lwm-{run}-{number:06d}-z"


def event_of(task: Task, number: int) -> Event:
    """Return an event of a task; the same number gives the same event."""
    return Event(
        number=number,
        marker=marker(task.run, number) if task.is_marked else "",
        boxes=task.boxes,
        image=image_of(number % _IMAGES, task.image_bytes),
    )


@lru_cache(maxsize=16)
def image_of(number: int, size: int) -> bytes:
    """Return bytes that begin as a JPEG file does and that no compression makes smaller."""
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + Random(number).randbytes(size - 11) if size else b""


def box_of(number: int, index: int) -> Mapping[str, object]:
    """Return the fields of one box, different in each event."""
    left, top = 10.0 + (number * 7 + index) % 500, 20.0 + (number * 3 + index) % 300
    return {
        "label": "pill",
        "confidence": 0.5 + (number * 13 + index) % 499 / 1000,
        "x_min": left,
        "y_min": top,
        "x_max": left + 42.5,
        "y_max": top + 17.25,
    }


def fields_of(event: Event) -> Mapping[str, object]:
    """Return an event as plain JSON: what the libraries that know no predictions are given."""
    marked = {"marker": event.marker} if event.marker else {}
    return {
        **marked,
        "model_version": "pills-2026-11-20",
        "task": "detection",
        "image_size": [1280, 960],
        "confidence": 0.5 + event.number % 499 / 1000,
        "boxes": [box_of(event.number, index) for index in range(event.boxes)],
    }
