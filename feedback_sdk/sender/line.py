"""The line to the server, with what every call on it minds: the circuit, the bandwidth, strange pages, a quiet log."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from random import SystemRandom
from typing import TypeAlias

from feedback_sdk import retry
from feedback_sdk.calls import PROBE, auth_headers, is_page
from feedback_sdk.drops import QuietLog, note
from feedback_sdk.errors import TransportError
from feedback_sdk.sender.bandwidth import Allowance
from feedback_sdk.sender.circuit import Circuit, State
from feedback_sdk.transport import Request, Response, Transport

#: What a call brings: an answer, or the reason why none came.
Outcome: TypeAlias = Response | TransportError
_draw = SystemRandom().random


class Line:
    """Makes one call at a time, on the sender's thread; the waits between the calls are its callers' to keep."""

    def __init__(self, transport: Transport, *, api_key: str, bytes_per_second: float | None) -> None:
        self.headers: Mapping[str, str] = auth_headers(api_key)
        self.circuit = Circuit()
        self.notices = QuietLog()
        self.bytes_sent = 0
        self.retried = 0
        #: monotonic; the server asked for no call before, so not even a flush makes one
        self.not_before = 0.0
        self._transport = transport
        self._allowance = Allowance(bytes_per_second)

    @property
    def has_recovered(self) -> bool:
        """Whether the server answers probes again although calls have failed."""
        return self.circuit.state is State.HALF_OPEN

    def bandwidth_wait(self) -> float:
        """Return the seconds until the cap on bandwidth lets the next request go."""
        return self._allowance.wait(now=time.monotonic())

    def call(self, request: Request) -> Outcome:
        """Make a call; a page in the place of a success is no answer of our server's."""
        self.bytes_sent += len(request.body)
        self._allowance.take(len(request.body), now=time.monotonic())
        try:
            answer = self._transport.send(request)
        except TransportError as error:
            return error
        if retry.is_success(answer.status) and is_page(answer):
            return TransportError("the answer must be Looks Wrong's, got a page: is there a login or proxy between?")
        return answer

    def succeed(self) -> None:
        """Note a call that the server dealt with; tell it where the log has told of an outage."""
        if self.circuit.state is not State.CLOSED:
            note("the server takes captures again")
        self.circuit.succeed()

    def probe(self) -> float:
        """Ask an open circuit's server whether it lives; return the seconds to wait before any call, 0: none."""
        if self.circuit.state is not State.OPEN:
            return 0.0
        outcome = self.call(PROBE)
        is_alive = isinstance(outcome, Response) and outcome.status < 500 and not is_page(outcome)
        self.circuit.probe(is_alive=is_alive)
        if is_alive:
            return 0.0
        wait = retry.jitter(self.circuit.failures, _draw(), cap_seconds=retry.PROBE_CAP_SECONDS)
        self._warn(outcome, wait)
        return wait

    def back_off(self, outcome: Outcome) -> float | None:
        """Note a call that failed; return the seconds to wait before the next, None: no try can bring success."""
        status = outcome.status
        asked = _asked_seconds(outcome)
        wait = retry.delay(attempt=self.circuit.failures, status=status, retry_after_seconds=asked, draw=_draw())
        if wait is None:
            self.succeed()
            return None
        self.retried += 1
        self.not_before = time.monotonic() + min(asked or 0.0, retry.ASKED_CAP_SECONDS)
        self.circuit.fail(is_down=retry.is_down(status))
        self._warn(outcome, wait)
        return wait

    def _warn(self, outcome: Outcome, wait: float) -> None:
        status = outcome.status
        if isinstance(outcome, TransportError):
            self.notices.warn("away", f"{outcome}; captures wait on disk, next try in {wait:.1f} s")
        elif status in retry.KEY_REFUSED | retry.WRONG_ADDRESS:
            remedy = f"set LOOKSWRONG_{'API_KEY' if status in retry.KEY_REFUSED else 'URL'}"
            self.notices.warn(f"status {status}", f"the server answers {status}: {remedy}; captures wait")
        else:
            self.notices.warn("busy", f"the server answers {status}; next try in {wait:.1f} s")


def _asked_seconds(outcome: Outcome) -> float | None:
    if isinstance(outcome, TransportError):
        return outcome.retry_after_seconds
    return retry.retry_after(outcome.headers.get("retry-after"), now=datetime.now(UTC))
