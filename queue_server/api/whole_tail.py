"""Request bodies whose end comes in one piece, for a parser that needs it so.

Werkzeug 3.1 reads a form in pieces of 64 KiB, or as the socket gives them. Where a piece ends between the two last
dashes of the closing delimiter, it takes the line break before the delimiter for a byte of the last file: one body in
65,536 has such a length, and its image would be stored, or refused, with a byte too many.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: longer than any closing delimiter: a boundary has at most 70 characters (RFC 2046, 5.1.1)
_TAIL_BYTES = 80


class WholeTail:
    """A body of known length; no read ends within its last 80 bytes but the one that ends it."""

    def __init__(self, source: BinaryIO, *, length: int) -> None:
        self._source = source
        self._left = length

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes; fewer than were announced only where the client stopped."""
        wanted = self._left if size < 0 else min(size, self._left)
        if self._left - _TAIL_BYTES < wanted < self._left:
            wanted = max(self._left - _TAIL_BYTES, min(wanted, 1))
        found = self._source.read(wanted)
        while found and len(found) < wanted and self._left - len(found) < _TAIL_BYTES:
            more = self._source.read(wanted - len(found))
            if not more:
                break
            found += more
        self._left -= len(found)
        return found


def with_whole_tails(app: "WSGIApplication") -> "WSGIApplication":
    """Return the application with the bodies of its forms as it needs them."""

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or ""
        if length.isdigit() and environ.get("CONTENT_TYPE", "").lower().startswith("multipart/"):
            environ["wsgi.input"] = WholeTail(environ["wsgi.input"], length=int(length))
        return app(environ, start_response)

    return call
