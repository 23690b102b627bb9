"""Images whose samples went ahead without them: asked about now and then, and sent once the server wants them.

They lie on disk below the spool. What is known of them in memory is when they were last asked about, all of them at
once: which are due again follows from their age.
"""

import time
from collections import deque
from collections.abc import Iterable
from uuid import UUID

from feedback_sdk.calls import MAX_WANTED_IDS, image_request, read_ids, read_object, wanted_request
from feedback_sdk.drops import Drop, DropReason, Drops
from feedback_sdk.errors import TransportError
from feedback_sdk.retry import is_success
from feedback_sdk.sender.line import Line, Outcome
from feedback_sdk.spool import Spool
from feedback_sdk.spool.waiting import id_text
from feedback_sdk.transport import Response

_SWEEP_SECONDS = 60.0
_FIRST_SECONDS = 60.0
_MAX_GAP_SECONDS = 6 * 3600.0
#: From this age on the gaps are the longest: doubling once more would exceed them.
_STEADY_SECONDS = 512 * 60.0


def last_ask(age_seconds: float) -> float:
    """Return the age at which an image of this age was last to be asked about: 1, 2, 4, 8 … minutes, then 6-hourly.

    >>> [last_ask(age) / 60 for age in (59, 60, 150, 512 * 60, 871 * 60, 872 * 60)]
    [0.0, 1.0, 2.0, 512.0, 512.0, 872.0]
    """
    if age_seconds < _FIRST_SECONDS:
        return 0.0
    if age_seconds < _STEADY_SECONDS:
        return _FIRST_SECONDS * 2.0 ** (int(age_seconds // _FIRST_SECONDS).bit_length() - 1)
    return _STEADY_SECONDS + (age_seconds - _STEADY_SECONDS) // _MAX_GAP_SECONDS * _MAX_GAP_SECONDS


def is_due(age_seconds: float, *, since_seconds: float) -> bool:
    """Return whether a time to ask lies within the last `since_seconds`.

    >>> is_due(130.0, since_seconds=20.0), is_due(130.0, since_seconds=5.0)
    (True, False)
    """
    last = last_ask(age_seconds)
    return last > 0.0 and last > age_seconds - since_seconds


class WantedImages:
    """Keeps images until the server says `wanted` or `stored`; its failures delay nothing else."""

    def __init__(self, spool: Spool, line: Line, *, drops: Drops) -> None:
        #: how many wait, as of the last look
        self.waiting = 0
        self._is_used = False
        self._spool = spool
        self._line = line
        self._drops = drops
        self._uploads: deque[str] = deque()
        self._asks: dict[str, None] = {}
        self._sweep_at = 0.0
        self._swept_ms: int | None = None
        self._not_before = 0.0

    @property
    def has_uploads(self) -> bool:
        """Whether the server waits for images that lie here."""
        return bool(self._uploads)

    def keep(self, sample_id: bytes, image: bytes, *, accepted_at_ms: int, is_wanted: bool) -> None:
        """Keep an image on disk; raise SpoolError where it cannot be kept."""
        self._spool.waiting.keep(sample_id, image, accepted_at_ms=accepted_at_ms)
        self.waiting += 1
        self._is_used = True
        if is_wanted:
            self._uploads.append(id_text(sample_id))

    def ask_about(self, sample_id: bytes) -> None:
        """Ask soon about one sample: its user has spoken, so its image may be wanted now."""
        if self._is_used:
            self._asks[id_text(sample_id)] = None

    def next_due(self) -> float | None:
        """Return the monotonic time of the next thing to do, None: there is nothing."""
        if self._uploads or self._asks:
            return self._not_before
        return max(self._sweep_at, self._not_before) if self._is_used or self._swept_ms is None else None

    def send(self) -> float | None:
        """Send one image that is wanted, or ask where many questions stand; None: nothing to do before captures go."""
        if time.monotonic() < self._not_before:
            return None
        if self._uploads:
            return self._upload(self._uploads[0])
        return self._ask() if len(self._asks) >= MAX_WANTED_IDS else None

    def ask(self) -> float | None:
        """Ask about the images that are due; None: none is."""
        if time.monotonic() < self._not_before:
            return None
        if not self._asks:
            self._sweep()
        return self._ask() if self._asks else None

    def _sweep(self) -> None:
        due_at = self.next_due()
        if due_at is None or time.monotonic() < due_at:
            return
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        now_ms, entries = time.time_ns() // 1_000_000, self._spool.waiting.entries()
        self.waiting = len(entries)
        self._is_used |= bool(entries)
        # At the start all are due: nobody knows what the process before this one asked.
        since = now_ms / 1000 if self._swept_ms is None else (now_ms - self._swept_ms) / 1000
        self._swept_ms = now_ms
        for entry in entries:
            if is_due((now_ms - entry.accepted_at_ms) / 1000, since_seconds=since):
                self._asks[id_text(entry.sample_id)] = None

    def _ask(self) -> float:
        sample_ids = list(self._asks)[:MAX_WANTED_IDS]
        if wait := self._line.bandwidth_wait():
            return wait
        outcome = self._line.call(wanted_request(sample_ids, headers=self._line.headers))
        if isinstance(outcome, Response) and is_success(outcome.status):
            try:
                self._hear(outcome, asked=set(sample_ids))
            except TransportError as error:
                outcome = error
            else:
                self._settle(sample_ids)
                return 0.0
        if self._fail(outcome):
            self._settle(sample_ids)
        return 0.0

    def _hear(self, answer: Response, *, asked: set[str]) -> None:
        document = read_object(answer)
        wanted, stored = asked.intersection(read_ids(document, "wanted")), read_ids(document, "stored")
        self._line.succeed()
        self._uploads.extend(wanted.difference(self._uploads))
        for sample_id in asked.intersection(stored):
            self._discard(sample_id)

    def _settle(self, sample_ids: Iterable[str]) -> None:
        for sample_id in sample_ids:
            self._asks.pop(sample_id, None)

    def _upload(self, sample_id: str) -> float:
        if wait := self._line.bandwidth_wait():
            return wait
        image = self._spool.waiting.image(UUID(sample_id).bytes)
        if image is None:  # another process was faster, or it made room
            self._uploads.popleft()
            return 0.0
        outcome = self._line.call(image_request(sample_id, image, headers=self._line.headers))
        if isinstance(outcome, Response) and is_success(outcome.status):
            self._line.succeed()
        elif _is_unknown(outcome) or self._fail(outcome):
            message = f"the server refused an image with status {outcome.status}"
            self._drops.tell(Drop(reason=DropReason.LOST, message=message, id=sample_id))
        else:
            return 0.0
        self._uploads.popleft()
        self._discard(sample_id)
        return 0.0

    def _discard(self, sample_id: str) -> None:
        self._spool.waiting.discard(UUID(sample_id).bytes)
        self.waiting = max(0, self.waiting - 1)

    def _fail(self, outcome: Outcome) -> bool:
        """Note a failure; return whether it is for good."""
        wait = self._line.back_off(outcome)
        self._not_before = time.monotonic() + (wait or 0.0)
        return wait is None


def _is_unknown(outcome: Outcome) -> bool:
    """Return whether it is our server that does not know the sample, not a page that is not there."""
    is_problem = isinstance(outcome, Response) and "problem+json" in outcome.headers.get("content-type", "")
    return outcome.status == 404 and is_problem
