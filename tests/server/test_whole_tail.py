"""A form is read to the byte, wherever the pieces end in which it comes."""

import io

import pytest
from werkzeug.formparser import parse_form_data

from queue_server.api.whole_tail import WholeTail, with_whole_tails

BOUNDARY = "lookswrong-0123456789abcdef0123456789abcdef"
IMAGE = bytes(range(256)) * 3 + b"\r\n-\r\n--"


class Pieces(io.RawIOBase):
    """A body that comes in two pieces, as a socket may give it."""

    def __init__(self, body: bytes, *, cut: int) -> None:
        super().__init__()
        self._pieces = [body[:cut], body[cut:]]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while self._pieces and not self._pieces[0]:
            self._pieces.pop(0)
        if not self._pieces:
            return b""
        found = self._pieces[0] if size < 0 else self._pieces[0][:size]
        self._pieces[0] = self._pieces[0][len(found) :]
        return found


def form(image: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    return head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()


def parsed(body: bytes, *, cut: int) -> bytes:
    seen = []

    def app(environ: dict, _: object) -> list[bytes]:
        with parse_form_data(environ)[2]["image"].stream as file:
            seen.append(file.read())
        return []

    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": Pieces(body, cut=cut),
    }
    with_whole_tails(app)(environ, lambda *_: None)
    return seen[0]


def test_a_file_is_read_to_the_byte_wherever_the_body_is_cut():
    body = form(IMAGE)
    assert {parsed(body, cut=cut) for cut in range(len(body))} == {IMAGE}


@pytest.mark.parametrize("more", range(-6, 7))
def test_a_body_of_any_length_around_a_piece_of_64_kib_is_read_to_the_byte(more):
    image = b"x" * ((1 << 16) + more - len(form(b"")))
    assert parsed(form(image), cut=1 << 16) == image


@pytest.mark.parametrize("size", [0, 1, 3, 79, 80, 81, 500])
@pytest.mark.parametrize("at_once", [1, 7, 1000, -1])
def test_what_goes_in_comes_out(size, at_once):
    stream = WholeTail(io.BytesIO(b"y" * size + b"next request"), length=size)
    found = b"".join(iter(lambda: stream.read(at_once), b""))
    assert found == b"y" * size


def test_a_client_that_stops_early_ends_the_body():
    stream = WholeTail(io.BytesIO(b"short"), length=500)
    assert [stream.read(), stream.read()] == [b"short", b""]
