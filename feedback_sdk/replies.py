"""What the server answers to a call that it takes: for a dry run, and for the tests of apps."""

from collections.abc import Iterator
from json import loads

BATCH = "/v1/samples/batch"
WANTED = "/v1/samples/wanted"


def reply(method: str, path: str, *, content_type: str, body: bytes) -> tuple[int, object]:
    """Return the status and the JSON document of the answer.

    >>> reply("POST", "/v1/samples/wanted", content_type="application/json", body=b'{"ids": []}')
    (200, {'wanted': [], 'stored': []})
    """
    path = path.partition("?")[0]
    if method == "GET":
        return 200, {"changes": [], "cursor": ""} if path == "/v1/samples/changes" else {"status": "ok"}
    if path == "/v1/feedback":
        return 202, {"status": "accepted"}
    if path == WANTED:
        return 200, {"wanted": [], "stored": []}
    if method == "PUT":
        return 201, _taken(path.split("/")[3], has_image=True)
    taken = [_taken(sample_id, has_image=image is not None) for sample_id, _, image in samples_of(content_type, body)]
    if path == BATCH:
        return 207, {
            "results": [{"id": one["id"], "status": 201, "image": one["image"], "errors": []} for one in taken]
        }
    return 201, taken[0]


def samples_of(content_type: str, body: bytes) -> Iterator[tuple[str, bytes, bytes | None]]:
    """Yield (id, JSON, image) of each sample in a multipart body of this package."""
    parts = list(_parts_of(content_type, body))
    images = {name: content for field, name, content in parts if field == "image"}
    for field, _, text in parts:
        if field == "sample":
            sample_id = str(loads(text)["id"])
            # alone, a sample's image needs no name to be found by
            yield sample_id, text, images.get(sample_id, images.get("image"))


def _parts_of(content_type: str, body: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield (field, filename, content) of each part."""
    boundary = content_type.partition("boundary=")[2].encode()
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        about = head.decode()
        yield _quoted(about, 'name="'), _quoted(about, 'filename="'), content


def _quoted(head: str, begin: str) -> str:
    return head.partition(f" {begin}")[2].partition('"')[0]


def _taken(sample_id: str, *, has_image: bool) -> dict[str, str]:
    return {"id": sample_id, "state": "awaiting_feedback", "image": "stored" if has_image else "not_yet"}
