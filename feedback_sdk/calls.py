"""What the SDK asks of the server, as requests: a sample with its image, and one feedback."""

from collections.abc import Mapping
from hashlib import sha256

from feedback_sdk.pixels import media_type
from feedback_sdk.transport import Request
from feedback_sdk.wire import canonical_json


def auth_headers(api_key: str) -> Mapping[str, str]:
    """Return the headers that say who calls."""
    return {"Authorization": f"Bearer {api_key}", "User-Agent": "feedback_sdk"}


def sample_request(fields: Mapping[str, object], image: bytes, *, headers: Mapping[str, str]) -> Request:
    """Return the request that brings a sample and its image (empty: none); the same for the same arguments."""
    parts = []
    boundary = "lookswrong"
    if image:
        digest = sha256(image).hexdigest()
        fields = {**fields, "image_sha256": digest}
        boundary = f"lookswrong-{digest[:32]}"  # a file that holds its own hash is not to be had
        parts.append(("image", f'; filename="image"\r\nContent-Type: {media_type(image)}', image))
    parts.insert(0, ("sample", "\r\nContent-Type: application/json", canonical_json(fields)))
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{about}\r\n\r\n'.encode() + content + b"\r\n"
        for name, about, content in parts
    ]
    return Request(
        method="POST",
        path="/v1/samples",
        headers={**headers, "Content-Type": f"multipart/form-data; boundary={boundary}"},
        body=b"".join(lines) + f"--{boundary}--\r\n".encode(),
    )


def feedback_request(text: bytes, *, headers: Mapping[str, str]) -> Request:
    """Return the request that brings one feedback, whose JSON is `text`."""
    return Request(
        method="POST", path="/v1/feedback", headers={**headers, "Content-Type": "application/json"}, body=text
    )
