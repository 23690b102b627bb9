"""For the tests of apps: a transport that keeps what was sent and answers as told."""

from collections.abc import Iterable

from feedback_sdk.errors import TransportError
from feedback_sdk.transport import Request, Response


class MemoryTransport:
    """Records every request and answers 201, or what `answers` holds first; an error there is raised.

    >>> transport = MemoryTransport([TransportError("away")])
    >>> transport.send(Request(method="POST", path="/v1/feedback"))
    Traceback (most recent call last):
    feedback_sdk.errors.TransportError: away
    >>> transport.send(Request(method="POST", path="/v1/feedback")).status, len(transport.requests)
    (201, 2)
    """

    def __init__(self, answers: Iterable[Response | TransportError] = ()) -> None:
        self.requests: list[Request] = []
        self._answers = iter(answers)

    def send(self, request: Request) -> Response:
        """Keep the request; return or raise the next answer."""
        self.requests.append(request)
        answer = next(self._answers, Response(status=201, headers={"content-type": "application/json"}, body=b"{}"))
        if isinstance(answer, TransportError):
            raise answer
        return answer
