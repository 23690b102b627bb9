"""What the SDK asks of the server, as requests, and how the answers are read.

Samples come as canonical JSON and go on as text: nothing is parsed on the way, for every capture of the app waits
while this thread computes.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from json import dumps, loads
from urllib.parse import urlencode

from feedback_sdk.errors import TransportError
from feedback_sdk.pixels import media_type
from feedback_sdk.replies import BATCH, WANTED
from feedback_sdk.transport import Request, Response
from feedback_sdk.wire import canonical_json

PROBE = Request(method="GET", path="/healthz", headers={"User-Agent": "feedback_sdk"})
#: No sample may name more of them in one call.
MAX_WANTED_IDS = 1000
_JSON = "application/json"
_MAX_AGE_MS = 10**12
_MAX_SAID_CHARS = 300
_ID = b'"id":"'
#: a member `"id":"<uuid>"`
_ID_BYTES = len(_ID) + 37
_AGE = b'{"age_ms":'


class Parcel:
    """A sample as it goes over the wire: JSON that names its image's hash, and the image's bytes (empty: none)."""

    __slots__ = ("digest", "image", "text")

    def __init__(self, *, text: bytes, image: bytes = b"", digest: str = "") -> None:
        self.text = text
        self.image = image
        self.digest = digest or (sha256(image).hexdigest() if image else "")


class Answer:
    """What became of one sample, whether it came alone or with others."""

    __slots__ = ("body", "image", "status")

    def __init__(self, *, status: int | None, image: str | None = None, body: bytes = b"") -> None:
        self.status = status
        #: a word of types.ImageNeed
        self.image = image
        #: what the server says of a refusal
        self.body = body


def auth_headers(api_key: str) -> Mapping[str, str]:
    """Return the headers that say who calls."""
    return {"Authorization": f"Bearer {api_key}", "User-Agent": "feedback_sdk"}


def packed(text: bytes, image: bytes) -> Parcel:
    """Return the parcel of a sample whose JSON does not name its image's hash yet."""
    if not image:
        return Parcel(text=text)
    digest = sha256(image).hexdigest()
    return Parcel(text=with_image_hash(text, digest), image=image, digest=digest)


def with_image_hash(text: bytes, digest: str) -> bytes:
    """Return a sample's canonical JSON with `image_sha256` at its sorted place, which is right after `id`.

    Only a time and numbers sort before `id`, and inside any string its quotes would be escaped: what is found first
    is the sample's own.

    >>> with_image_hash(b'{"id":"12345678-1234-5678-1234-567812345678","tags":["a"]}', "ff")
    b'{"id":"12345678-1234-5678-1234-567812345678","image_sha256":"ff","tags":["a"]}'
    """
    end = text.find(_ID) + _ID_BYTES
    if end < _ID_BYTES or text[end - 1 : end + 1] not in (b'",', b'"}') or text.startswith(b',"image_sha256"', end):
        return canonical_json({**loads(text), "image_sha256": digest})
    return b'%b,"image_sha256":"%b"%b' % (text[:end], digest.encode(), text[end:])


def aged(text: bytes, waited_ms: int) -> bytes:
    """Return a feedback's canonical JSON with `age_ms`, its first key, raised by the time that it waited.

    >>> aged(b'{"age_ms":5,"id":"a"}', 20), aged(b'{"id":"a"}', 20)
    (b'{"age_ms":25,"id":"a"}', b'{"age_ms":20,"id":"a"}')
    """
    given, rest = 0, text[1:]
    if text.startswith(_AGE):
        number, _, rest = text[len(_AGE) :].partition(b",")
        given = int(float(number))
    age = min(given + max(waited_ms, 0), _MAX_AGE_MS)
    return b"%b%d,%b" % (_AGE, age, rest) if age else text


def sample_request(fields: Mapping[str, object], image: bytes, *, headers: Mapping[str, str]) -> Request:
    """Return the request that brings a sample, given as its fields, and its image (empty: none)."""
    return parcel_request(packed(canonical_json(fields), image), headers=headers)


def parcel_request(parcel: Parcel, *, headers: Mapping[str, str]) -> Request:
    """Return the request that brings one sample; the same for the same parcel."""
    return _multipart("/v1/samples", [(parcel, "image")], headers=headers)


def batch_request(parcels: Mapping[str, Parcel], *, headers: Mapping[str, str]) -> Request:
    """Return the request that brings many samples, by id: an image's file name is the id of its sample."""
    return _multipart(BATCH, [(parcel, sample_id) for sample_id, parcel in parcels.items()], headers=headers)


def feedback_request(text: bytes, *, headers: Mapping[str, str]) -> Request:
    """Return the request that brings one feedback, whose JSON is `text`."""
    return Request(method="POST", path="/v1/feedback", headers={**headers, "Content-Type": _JSON}, body=text)


def image_request(sample_id: str, image: bytes, *, headers: Mapping[str, str]) -> Request:
    """Return the request that brings the image of a sample that went ahead."""
    about = {**headers, "Content-Type": media_type(image)}
    return Request(method="PUT", path=f"/v1/samples/{sample_id}/image", headers=about, body=image)


def wanted_request(sample_ids: Sequence[str], *, headers: Mapping[str, str]) -> Request:
    """Return the request that asks which of these samples' images are wanted."""
    body = dumps({"ids": list(sample_ids)}).encode()
    return Request(method="POST", path=WANTED, headers={**headers, "Content-Type": _JSON}, body=body)


def changes_request(query: Sequence[tuple[str, str]], *, headers: Mapping[str, str]) -> Request:
    """Return the request that asks for changes of samples."""
    return Request(method="GET", path=f"/v1/samples/changes?{urlencode(query)}", headers=headers)


def is_page(response: Response) -> bool:
    """Return whether an answer is a web page, so not our server's: there is a login or a proxy between."""
    return "html" in response.headers.get("content-type", "")


def read_object(response: Response) -> dict[str, object]:
    """Return the JSON object of an answer; raise TransportError where it is none."""
    try:
        document = loads(response.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise TransportError(f"the answer must be a JSON object, got {len(response.body)} other bytes")
    return document


def read_sample(response: Response) -> Answer:
    """Return what became of a sample that was taken alone; what else may answer need not speak of images."""
    try:
        image = read_object(response).get("image")
    except TransportError:
        image = None
    return Answer(status=response.status, image=image if isinstance(image, str) else None)


def faults(body: bytes) -> str:
    """Return what a refusal names: each field and what must hold, without the value that came; "" where none is.

    >>> faults(b'{"errors": [{"field": "count", "message": "must be >= 0, got -7"}]}')
    'count must be >= 0'
    """
    try:
        errors = loads(body)
        errors = errors.get("errors") if isinstance(errors, dict) else errors
        said = [f"{error['field']} {error['message']}".partition(", got ")[0] for error in errors or ()]
    except (ValueError, TypeError, KeyError):
        return ""
    return "; ".join(said)[:_MAX_SAID_CHARS]


def read_batch(response: Response, *, sample_ids: Sequence[str]) -> list[Answer]:
    """Return what became of each sample of a batch; raise TransportError unless all are spoken of, in order."""
    results = read_object(response).get("results")
    results = results[: len(sample_ids)] if isinstance(results, list) else []
    if [item.get("id") if isinstance(item, dict) else None for item in results] != list(sample_ids):
        raise TransportError(f"the answer must name all {len(sample_ids)} samples in order, got other results")
    return [_item(item) for item in results]


def read_ids(document: Mapping[str, object], name: str) -> list[str]:
    """Return a list of ids that an answer holds; raise TransportError where it is none."""
    ids = document.get(name)
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise TransportError(f"the answer's {name} must be a list of ids, got {type(ids).__name__}")
    return ids


def _item(item: Mapping[str, object]) -> Answer:
    status, image = item.get("status"), item.get("image")
    if not isinstance(status, int):
        raise TransportError(f"a result's status must be a number, got {type(status).__name__}")
    body = b"" if status < 300 else dumps(item).encode()
    return Answer(status=status, image=image if isinstance(image, str) else None, body=body)


def _multipart(path: str, named: Sequence[tuple[Parcel, str]], *, headers: Mapping[str, str]) -> Request:
    """Return a request of `sample` and `image` parts; each image stands behind its sample."""
    digests = "".join(parcel.digest for parcel, _ in named)
    # A file that holds its own hash is not to be had, and JSON has no line breaks: the boundary is in no part.
    boundary = f"lookswrong-{digests[:32] if len(named) == 1 else sha256(digests.encode()).hexdigest()[:32]}"
    opening = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    parts: list[bytes] = []
    for parcel, name in named:
        parts += (f'{opening}sample"\r\nContent-Type: {_JSON}\r\n\r\n'.encode(), parcel.text, b"\r\n")
        if parcel.image:
            kind = media_type(parcel.image)
            about = f'{opening}image"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
            parts += (about.encode(), parcel.image, b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    form = f"multipart/form-data; boundary={boundary}"
    return Request(method="POST", path=path, headers={**headers, "Content-Type": form}, body=b"".join(parts))
