"""For the tests of apps: a transport that keeps what was sent and answers as told."""

from collections.abc import Iterable
from json import dumps

from feedback_sdk.calls import Parcel, parcel_request
from feedback_sdk.errors import TransportError
from feedback_sdk.replies import BATCH, WANTED, reply, samples_of
from feedback_sdk.transport import Request, Response

_JSON = {"content-type": "application/json"}


class MemoryTransport:
    """Keeps each sample and feedback as a request and answers 201, or what `answers` holds first; an error is raised.

    Samples that come together in one request are kept, and answered, as if each had come alone. What only asks (a
    probe, a poll) is answered as by a server with no news and not kept.

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
        if request.path == BATCH:
            return self._take_batch(request)
        if request.method == "GET" or request.path == WANTED:
            status, document = reply(request.method, request.path, content_type="", body=request.body)
            return Response(status=status, headers=_JSON, body=dumps(document).encode())
        return self._take(request)

    def _take(self, request: Request) -> Response:
        self.requests.append(request)
        answer = next(self._answers, Response(status=201, headers=_JSON, body=b"{}"))
        if isinstance(answer, TransportError):
            raise answer
        return answer

    def _take_batch(self, request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name != "Content-Type"}
        results = []
        for sample_id, text, image in samples_of(request.headers["Content-Type"], request.body):
            alone = parcel_request(Parcel(text=text, image=image or b""), headers=headers)
            results.append({"id": sample_id, "status": self._take(alone).status, "image": None, "errors": []})
        return Response(status=207, headers=_JSON, body=dumps({"results": results}).encode())
