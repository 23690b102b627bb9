"""The recorded requests of released versions, and the servers that they are replayed against."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
DIGESTS = "SHA256SUMS"

#: one project and one key a kind of task; the keys open nothing but the servers of these tests
TASKS = ("detection", "classification", "segmentation", "keypoints", "counting")


def key_of(task: str) -> str:
    """Return the key that the recordings of a task were made with."""
    return f"lw_contract{TASKS.index(task)}_recorded-{task}-and-no-secret-of-anybody"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One request as it went over the wire, without its key, and what its sender relies on in the answer."""

    name: str
    #: whose project it is sent to
    task: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    #: what goes into the header as bearer: "key", "none", or a token
    bearer: str
    status: int
    #: dotted paths into the answer, with the value that must stand there; None: any value
    answer: Mapping[str, object]


def write(recording: Recording, folder: Path) -> None:
    """Keep a recording as a file."""
    values = {name: getattr(recording, name) for name in ("task", "method", "path", "headers", "bearer", "status")}
    text = json.dumps(
        values | {"answer": dict(recording.answer)} | _written(recording.body), indent=1, ensure_ascii=False
    )
    (folder / f"{recording.name}.json").write_text(text + "\n", encoding="utf-8")


def _written(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def read(file: Path) -> Recording:
    """Return the recording that a file holds."""
    values = json.loads(file.read_text(encoding="utf-8"))
    raw = base64.b64decode(values.pop("body_base64")) if "body_base64" in values else values.pop("body").encode()
    return Recording(name=file.stem, body=raw, **values)


def recorded(version: str) -> Sequence[Recording]:
    """Return the recordings of a version in the order in which they were sent."""
    return [read(file) for file in sorted((FOLDER / version).glob("*.json"))]


def versions() -> list[str]:
    """Return the versions that have recordings."""
    return sorted(folder.name for folder in FOLDER.iterdir() if (folder / DIGESTS).exists())
