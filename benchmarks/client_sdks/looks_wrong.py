"""The part of the stand-in that speaks our wire: samples and feedback are kept once by id, as the real server does."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler

from benchmarks.client_sdks.tasks import WANTED_PERCENT

_NUMBER = re.compile(rb"lwm-[a-z0-9]+-(\d{6,})-z")
_NAME = re.compile(rb'[; ]name="([^"]*)"')
_FILENAME = re.compile(rb'filename="([^"]*)"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of a multipart body."""

    name: str
    filename: str
    content: bytes


class LooksWrong:
    """The books of one server; not safe for threads: its owner holds a lock."""

    def __init__(self) -> None:
        #: id -> hash of the sample's JSON without its image's hash
        self.samples: dict[str, str] = {}
        #: id -> hash of what stands in `metadata` of the sample, or in `comment` of the feedback
        self.contents: dict[str, str] = {}
        self.images: dict[str, str] = {}
        self.feedback: dict[str, str] = {}
        self.wanted: set[str] = set()
        self.conflicts = 0
        self._calls: Mapping[tuple[str, str], Callable[[str, bytes], Answer]] = {
            ("POST", "/v1/samples"): self._take_one,
            ("POST", "/v1/samples/batch"): self._take_batch,
            ("POST", "/v1/samples/wanted"): self._tell_wanted,
            ("POST", "/v1/feedback"): self._take_feedback,
            ("GET", "/v1/samples/changes"): lambda _type, _body: _json(200, {"changes": [], "cursor": "0"}),
            ("GET", "/healthz"): lambda _type, _body: _json(200, {"status": "ok"}),
        }

    def books(self) -> Mapping[str, object]:
        """Return what is stored, for the reader of the control port."""
        return {
            "samples": sorted(self.samples),
            "contents": self.contents,
            "images": self.images,
            "feedback": sorted(self.feedback),
            "conflicts": self.conflicts,
        }

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer | None:
        """Return the answer to a call of our wire; None where the path is another's."""
        path, content_type = request.path.partition("?")[0], request.headers.get("Content-Type", "")
        if request.command == "PUT" and path.startswith("/v1/samples/"):
            return self._take_image(path.split("/")[3], body, content_type)
        take = self._calls.get((request.command, path))
        return None if take is None else take(content_type, body)

    def _take_one(self, content_type: str, body: bytes) -> Answer:
        parts = _parts(content_type, body)
        text = next(part.content for part in parts if part.name == "sample")
        image = next((part.content for part in parts if part.name == "image"), None)
        result = self._store(text, image)
        return _json(int(str(result["status"])), result)

    def _take_batch(self, content_type: str, body: bytes) -> Answer:
        parts = _parts(content_type, body)
        images = {part.filename: part.content for part in parts if part.name == "image"}
        texts = [part.content for part in parts if part.name == "sample"]
        return _json(207, {"results": [self._store(text, images.get(json.loads(text)["id"])) for text in texts]})

    def _store(self, text: bytes, image: bytes | None) -> dict[str, object]:
        fields = json.loads(text)
        sample_id, announced = str(fields["id"]), fields.pop("image_sha256", None)
        content, is_new = digest(fields), sample_id not in self.samples
        is_same = self.samples.setdefault(sample_id, content) == content
        self.contents[sample_id] = digest(fields.get("metadata", {}))
        self.conflicts += not is_same
        status = 201 if is_new else 200 if is_same else 409
        if image is not None:
            self.images.setdefault(sample_id, sha256(image).hexdigest())
            return {"id": sample_id, "status": status, "image": "stored"}
        number = _NUMBER.search(text)
        if announced and number and int(number.group(1)) % 100 < WANTED_PERCENT:
            self.wanted.add(sample_id)
        state = "stored" if sample_id in self.images else "wanted" if sample_id in self.wanted else "not_yet"
        return {"id": sample_id, "status": status, "image": state}

    def _tell_wanted(self, _: str, body: bytes) -> Answer:
        ids = json.loads(body)["ids"]
        stored = [one for one in ids if one in self.images]
        return _json(200, {"wanted": [one for one in ids if one in self.wanted - set(stored)], "stored": stored})

    def _take_image(self, sample_id: str, body: bytes, content_type: str) -> Answer:
        image = body
        if "multipart" in content_type:
            image = next(part.content for part in _parts(content_type, body) if part.name == "image")
        self.images.setdefault(sample_id, sha256(image).hexdigest())
        return _json(201, {"id": sample_id, "image": "stored"})

    def _take_feedback(self, _: str, body: bytes) -> Answer:
        fields = json.loads(body)
        fields.pop("age_ms", None)  # it is raised at each send
        feedback_id, content = str(fields["id"]), digest(fields)
        is_new = feedback_id not in self.feedback
        is_same = self.feedback.setdefault(feedback_id, content) == content
        self.contents[feedback_id] = digest(fields.get("comment"))
        self.conflicts += not is_same
        return _json(202 if is_new else 200 if is_same else 409, {"id": feedback_id})


def digest(value: object) -> str:
    """Return the hash of a JSON value, whatever the order of its keys."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _json(status: int, value: Mapping[str, object]) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode())


def _parts(content_type: str, body: bytes) -> list[Part]:
    boundary = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    parts = []
    for piece in (b"\r\n" + body).split(b"\r\n" + boundary)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        name, filename = _NAME.search(head), _FILENAME.search(head)
        assert name is not None
        parts.append(
            Part(name=name.group(1).decode(), filename=filename.group(1).decode() if filename else "", content=content)
        )
    return parts
