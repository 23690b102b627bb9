"""Record what this version's SDK sends, once per release: `python -m tests.contract.record 0.1`.

What an app in the field sends cannot be taken back, so a folder that is there is never written again.
"""

import hashlib
import io
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from uuid import UUID

from PIL import Image

from feedback_sdk import calls, tokens
from feedback_sdk.transport import Request
from feedback_sdk.types import (
    Box,
    BoxCorrection,
    Correction,
    Feedback,
    Keypoint,
    Mask,
    Point,
    Polygon,
    Prediction,
    Rle,
    Sample,
)
from feedback_sdk.wire import canonical_json, to_wire
from tests.contract.recordings import DIGESTS, FOLDER, Recording, key_of, write

_AT = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
_HEADERS = {"User-Agent": "feedback_sdk"}
_TAKEN = {"id": None, "state": None, "image": None}
_BOX = Box(label="pill", confidence=0.93, x_min=2.0, y_min=3.5, x_max=20.25, y_max=30.0)
_TURNED = Box(
    label="capsule",
    x_min=30.0,
    y_min=10.0,
    x_max=50.0,
    y_max=20.0,
    rotation_degrees=33.5,
    classes={"capsule": 0.7, "pill": 0.3},
)
_OUTLINE = Polygon(label="pill", points=[(1.0, 1.0), (20.0, 1.0), (10.0, 20.0)], confidence=0.8)
_RUNS = Mask(label="pill", rle=Rle(size=(48, 64), counts=[100, 20, 2952]), confidence=0.5)
_JOINT = Keypoint(label="pill", x=12.0, y=13.5, confidence=0.25)


def sample_id(number: int) -> UUID:
    """Return an id that a reader can tell from the next."""
    return UUID(int=0x0000_5A17_0000_4000_8000_0000_0000_0000 + number)


def photo(shade: int, *, format_name: str = "PNG") -> bytes:
    """Return a small image of 64 by 48 pixels."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, 90, 120)).save(out, format_name)
    return out.getvalue()


def sample(number: int, said: Prediction | None, **more: object) -> Sample:
    """Return a sample with few fields."""
    return Sample(id=sample_id(number), captured_at=_AT, prediction=said, **more)  # type: ignore[arg-type]  # by name


def predicted(task: str, **objects: object) -> Prediction:
    """Return a prediction on an image of 64 by 48 pixels."""
    values = {"image_size": (64, 48)} | objects
    return Prediction(model_version="v7", task=task, **values)  # type: ignore[arg-type]  # by name


def feedback(number: int, of: int, verdict: str, **more: object) -> Feedback:
    """Return a feedback with few fields."""
    ids = {"id": sample_id(1000 + number), "sample_id": sample_id(of)}
    return Feedback(verdict=verdict, **ids, **more)  # type: ignore[arg-type]  # by name


def posted(value: Sample, image: bytes = b"") -> Request:
    """Return the request of one sample."""
    return calls.parcel_request(calls.packed(canonical_json(value), image), headers=_HEADERS)


def told(value: Feedback) -> Request:
    """Return the request of one feedback."""
    return calls.feedback_request(canonical_json(value), headers=_HEADERS)


def token(of: int, scope: str) -> str:
    """Return a token of anna's for a sample of the task detection."""
    said = {"sample_id": sample_id(of), "reporter": "anna", "scope": scope, "expires_at": 99_999_999_999}
    return tokens.mint(key_of("detection"), **said)  # type: ignore[arg-type]  # by name


def _by_token(value: Feedback, text: str) -> Request:
    """Return the request that a browser makes: no preflight, no key."""
    fields = to_wire(value)
    assert isinstance(fields, dict)
    body = canonical_json(fields | {"token": text})
    return Request(method="POST", path="/v1/feedback", headers={"Content-Type": "text/plain;charset=UTF-8"}, body=body)


#: name -> task, prediction, further fields; a sample's number is its place
_SAMPLES = {
    "minimal": ("detection", None, {}),
    "full": (
        "detection",
        predicted("detection", confidence=0.9, count=2, boxes=[_BOX, _TURNED]),
        {
            "tags": ["night", "Zürich"],
            "metadata": {"app": "4.2", "light": 0.25, "flash": False, "lens": None, "path": ["a", {"b": 1}]},
            "subject": "patient-1",
            "stream": "camera-7",
            "capture_probability": 0.5,
            "stands_for": 12,
            "embedding": [0.5, -1.0, 1e-3],
        },
    ),
    "nothing-found": ("detection", predicted("detection", boxes=[]), {}),
    "boxes-absent": ("detection", predicted("detection", confidence=0.2), {}),
    "larger-prediction": ("detection", predicted("detection", image_size=(640, 480), boxes=[]), {}),
    "size-absent": ("detection", predicted("detection", image_size=None, boxes=[_BOX]), {}),
    "classes": ("classification", predicted("classification", classes={"pill": 0.7, "capsule": 0.3}), {}),
    "many-classes": (
        "classification",
        predicted("classification", classes={"pill": 0.7, "capsule": 0.6}, multi_label=True),
        {},
    ),
    "no-class": ("classification", predicted("classification", classes={}), {}),
    "outlines": ("segmentation", predicted("segmentation", polygons=[_OUTLINE]), {}),
    "masks": ("segmentation", predicted("segmentation", masks=[_RUNS]), {}),
    "nothing-outlined": ("segmentation", predicted("segmentation", polygons=[], masks=[]), {}),
    "points": ("keypoints", predicted("keypoints", keypoints=[_JOINT]), {}),
    "no-points": ("keypoints", predicted("keypoints", keypoints=[]), {}),
    "count": ("counting", predicted("counting", count=29, confidence=0.6), {}),
    "count-zero": ("counting", predicted("counting", count=0), {}),
    "count-and-boxes": ("counting", predicted("counting", count=1, boxes=[_BOX]), {}),
}

_Sent = tuple[str, str, Request, int, Mapping[str, object], str]


def sent() -> Iterator[_Sent]:
    """Yield (name, task, request, status, what is relied on, bearer) of each request, in the order of sending."""
    yield "probe", "detection", calls.PROBE, 200, {"service": "lookswrong", "version": None, "status": "ok"}, "none"
    yield from _samples()
    yield from _verdicts()
    yield from _many()
    yield from _later()
    yield from _tokens()
    yield from _changes()


def _samples() -> Iterator[_Sent]:
    for number, (name, (task, prediction, more)) in enumerate(_SAMPLES.items()):
        request = posted(sample(number, prediction, **more), photo(number))
        yield f"sample-{name}", task, request, 201, _TAKEN | {"image": "stored"}, "key"
    repeated = posted(sample(2, predicted("detection", boxes=[])), photo(2))
    yield "sample-again", "detection", repeated, 200, _TAKEN, "key"
    jpeg = posted(sample(20, predicted("detection", boxes=[_BOX])), photo(20, format_name="JPEG"))
    yield "sample-jpeg", "detection", jpeg, 201, _TAKEN | {"image": "stored"}, "key"


def _verdicts() -> Iterator[_Sent]:
    corners = {"x_min": 1.0, "y_min": 2.0, "x_max": 9.0, "y_max": 8.0}
    corrections = {
        "count": (1, Correction(count=30)),
        "points": (1, Correction(points=[Point(x=3.0, y=4.0)])),
        "add": (1, Correction(boxes=[BoxCorrection(action="add", label="pill", **corners)])),
        "move": (1, Correction(boxes=[BoxCorrection(action="move", target=0, **corners)])),
        "remove": (1, Correction(boxes=[BoxCorrection(action="remove", target=1)])),
        "all": (
            1,
            Correction(
                image_size=(128, 96),
                count=2,
                boxes=[BoxCorrection(action="remove", target=0), BoxCorrection(action="add", label="pill", **corners)],
                points=[Point(x=100.0, y=90.0)],
            ),
        ),
        "predicted-pixels": (4, Correction(points=[Point(x=600.0, y=400.0)])),
    }
    said = [
        ("confirmed", "detection", feedback(0, 2, "confirmed")),
        ("rejected", "detection", feedback(1, 2, "rejected", reporter="Zoë", comment="fehlt 💊", age_ms=86_400_000)),
        ("again-older", "detection", feedback(1, 2, "rejected", reporter="Zoë", comment="fehlt 💊", age_ms=86_500_000)),
        ("label", "classification", feedback(2, 6, "corrected", correction=Correction(label="capsule"))),
        ("counted", "counting", feedback(3, 14, "corrected", correction=Correction(count=30))),
        ("before-its-sample", "detection", feedback(4, 999, "rejected")),
    ]
    said += [
        (name, "detection", feedback(10 + number, of, "corrected", reporter="anna", correction=correction))
        for number, (name, (of, correction)) in enumerate(corrections.items())
    ]
    for name, task, value in said:
        yield f"feedback-{name}", task, told(value), 202, {"status": "accepted"}, "key"


def _many() -> Iterator[_Sent]:
    values = [sample(30 + number, predicted("detection", boxes=[_BOX])) for number in range(3)]
    images = [photo(30), b"", photo(32)]
    parcels = {
        str(value.id): calls.packed(canonical_json(value), image) for value, image in zip(values, images, strict=True)
    }
    answer: dict[str, object] = {f"results.{index}.errors": [] for index in range(3)}
    answer |= {f"results.{index}.status": 201 for index in range(3)}
    answer |= {f"results.{index}.id": str(value.id) for index, value in enumerate(values)}
    answer |= {f"results.{index}.image": "stored" if image else "not_yet" for index, image in enumerate(images)}
    yield "batch", "detection", calls.batch_request(parcels, headers=_HEADERS), 207, answer, "key"


def _later() -> Iterator[_Sent]:
    image, name = photo(40), str(sample_id(40))
    value = sample(40, predicted("detection", boxes=[]), image_sha256=hashlib.sha256(image).hexdigest())
    asked = calls.wanted_request([name, str(sample_id(1)), str(sample_id(998))], headers=_HEADERS)
    stored = str(sample_id(1))
    yield "ahead", "detection", posted(value), 201, _TAKEN | {"image": "not_yet"}, "key"
    yield "ahead-not-wanted-yet", "detection", asked, 200, {"wanted": [], "stored": [stored]}, "key"
    yield "ahead-rejected", "detection", told(feedback(40, 40, "rejected")), 202, {"status": "accepted"}, "key"
    yield "ahead-wanted", "detection", asked, 200, {"wanted": [name], "stored": [stored]}, "key"
    put = calls.image_request(name, image, headers=_HEADERS)
    yield "ahead-image", "detection", put, 201, _TAKEN | {"image": "stored"}, "key"
    yield "ahead-image-again", "detection", put, 200, _TAKEN | {"image": "stored"}, "key"
    yield "ahead-done", "detection", asked, 200, {"wanted": [], "stored": [name, stored]}, "key"


def _tokens() -> Iterator[_Sent]:
    said = _by_token(feedback(50, 1, "rejected", comment="it is blue"), token(1, "f"))
    yield "token-feedback", "detection", said, 202, {"status": "accepted"}, "none"
    upload = posted(sample(51, predicted("detection", boxes=[_BOX])), photo(51))
    yield "token-upload", "detection", upload, 201, _TAKEN | {"image": "stored"}, token(51, "s")


def _changes() -> Iterator[_Sent]:
    keys = ("id", "state", "reason", "verdict", "outcome", "at")
    answer = {f"changes.0.{name}": None for name in keys} | {"cursor": None}
    queries = {
        "since": [("since", "2026-01-01T00:00:00Z"), ("limit", "1000")],
        "after": [("after", "0"), ("limit", "1000")],
        "named": [("id", str(sample_id(1))), ("id", str(sample_id(2)))],
    }
    for name, query in queries.items():
        yield f"changes-{name}", "detection", calls.changes_request(query, headers=_HEADERS), 200, answer, "key"


def main(version: str) -> None:
    """Write all recordings of a version, and the list of their digests."""
    folder = FOLDER / version
    folder.mkdir()  # FileExistsError: this version is recorded
    for number, (name, task, request, status, answer, bearer) in enumerate(sent()):
        recording = Recording(
            name=f"{number:02}-{name}",
            task=task,
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=request.body,
            bearer=bearer,
            status=status,
            answer=answer,
        )
        write(recording, folder)
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.glob("*.json"))
    ]
    (folder / DIGESTS).write_text("".join(lines))


if __name__ == "__main__":
    main(sys.argv[1])
