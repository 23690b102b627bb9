"""What became of samples, as far as this client has heard: asked for in the background, answered from memory.

The server is polled from the first question on: once for each sample that was asked about, and then along the feed of
all changes of the project, from a little before the first question.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from feedback_sdk import retry
from feedback_sdk.calls import changes_request, read_object
from feedback_sdk.errors import TransportError
from feedback_sdk.sender.line import Line, Outcome

MAX_KNOWN = 10_000
#: as many as the server takes in one question
_MAX_IDS = 50
_PAGE = 1000
#: The server's clock may be behind; to hear of a change twice is harmless.
_MARGIN = timedelta(hours=1)
_REFUSED_SECONDS = 300.0
#: how soon a sample is asked about that was not heard of
_ID_SECONDS = 5.0
#: Between two pages captures get their turn.
_MORE_SECONDS = 0.1
_WORDS = ("id", "state", "reason", "verdict", "outcome")
_FINAL_STATES = frozenset({"annotated", "archived"})
_REMEDIES: dict[int | None, str] = {
    404: "update the server",
    **dict.fromkeys(
        retry.KEY_REFUSED,
        "a key needs scope read: make one with `lookswrong key create --project P --scope ingest --scope read`",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleStatus:
    """Where a sample stands on the server."""

    #: the sample's
    id: str
    #: awaiting_feedback, held, queued, pushed, annotated or archived
    state: str
    #: why it was queued or archived
    reason: str | None = None
    #: what its users say together: confirmed, rejected or corrected
    verdict: str | None = None
    #: by the annotator's word: user_right or user_wrong; None: no annotation yet, or nobody said anything
    outcome: str | None = None
    #: when it came there
    at: datetime

    @property
    def is_final(self) -> bool:
        """Whether it is annotated or archived; a late verdict can still bring it back."""
        return self.state in _FINAL_STATES


class Statuses:
    """A bounded cache of statuses. `get` and `since` never block; the rest is called on the sender's thread."""

    def __init__(self, *, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        #: set by the sender: it hears that there is something to ask
        self.wake: Callable[[], None] = nobody
        self._has_warned = False
        self.forget()

    def forget(self) -> None:
        """Start afresh: at first, and in the child of a fork, where another thread may have left the lock taken."""
        self._lock = threading.RLock()
        self._known: OrderedDict[str, SampleStatus] = OrderedDict()
        #: what `get` did not find; asked about once, then the feed brings it
        self._missed: OrderedDict[str, None] = OrderedDict()
        self._pending: OrderedDict[str, None] = OrderedDict()
        self._start: datetime | None = None
        self._cursor: str | None = None
        self._feed_at = self._ids_at = 0.0

    def get(self, sample_id: UUID) -> SampleStatus | None:
        """Return a sample's status; None: not heard of yet, it is asked for now."""
        text = str(sample_id)
        status = self._known.get(text)
        if status is None:
            self._register(text)
        return status

    def since(self, since: datetime | None) -> list[SampleStatus]:
        """Return the statuses that changed at `since` or later (None: all that are known), the earliest first."""
        if self._start is None:
            with self._lock:
                self._start = since or datetime.now(UTC) - _MARGIN
            self.wake()
        with self._lock:
            known = list(self._known.values())
        return sorted([status for status in known if since is None or status.at >= since], key=lambda one: one.at)

    def next_due(self) -> float | None:
        """Return the monotonic time of the next poll; None: nobody has asked."""
        if self._start is None:
            return None
        return min(self._feed_at, self._ids_at) if self._pending else self._feed_at

    def poll(self, line: Line) -> float | None:
        """Make one call if one is due; None: none is. A failure delays nothing but the next poll."""
        now = time.monotonic()
        # The feed first: what changes after its cursor was given cannot be missed between the two.
        if self._pending and self._cursor is not None and now >= self._ids_at:
            self._ask_for_ids(line)
        elif self._start is not None and now >= self._feed_at:
            self._follow_feed(line)
        else:
            return None
        return 0.0

    def _ask_for_ids(self, line: Line) -> None:
        with self._lock:
            sample_ids = list(islice(self._pending, _MAX_IDS))
        document = self._ask(line, [("id", sample_id) for sample_id in sample_ids])
        if document is None:
            return
        with self._lock:
            for sample_id in sample_ids:
                self._pending.pop(sample_id, None)
        is_more = len(sample_ids) == _MAX_IDS
        self._ids_at = time.monotonic() + (_MORE_SECONDS if is_more else min(_ID_SECONDS, self._poll_seconds))

    def _follow_feed(self, line: Line) -> None:
        assert self._start is not None  # poll looks
        at = ("after", self._cursor) if self._cursor else ("since", self._start.astimezone(UTC).isoformat())
        document = self._ask(line, [at, ("limit", str(_PAGE))])
        if document is None:
            return
        is_more = len(_list(document, "changes")) >= _PAGE
        self._cursor = str(document.get("cursor", ""))
        self._feed_at = time.monotonic() + (_MORE_SECONDS if is_more else self._poll_seconds)

    def _ask(self, line: Line, query: list[tuple[str, str]]) -> dict[str, object] | None:
        """Ask, and keep the changes that come; return the answer, None where there was none that could be read."""
        outcome = line.call(changes_request(query, headers=line.headers))
        try:
            document = _document(outcome)
            self._keep([_status(change) for change in _list(document, "changes")])
        except TransportError as error:
            self._fail(line, outcome.status, error)
            return None
        return document

    def _register(self, text: str) -> None:
        with self._lock:
            if text in self._missed:
                return
            self._missed[text] = self._pending[text] = None
            for ids in (self._missed, self._pending):
                if len(ids) > MAX_KNOWN:
                    ids.popitem(last=False)
            self._start = self._start or datetime.now(UTC) - _MARGIN
        self.wake()

    def _keep(self, changes: list[SampleStatus]) -> None:
        with self._lock:
            for change in changes:
                before = self._known.pop(change.id, change)
                self._known[change.id] = max(change, before, key=lambda one: one.at)
                self._missed.pop(change.id, None)
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)

    def _fail(self, line: Line, status: int | None, error: TransportError) -> None:
        if status == 422:  # it does not know the cursor any more: its database is another
            self._cursor, self._start = None, datetime.now(UTC) - _MARGIN
        remedy = _REMEDIES.get(status)
        wait = self._poll_seconds if remedy is None else _REFUSED_SECONDS
        self._feed_at = self._ids_at = time.monotonic() + wait
        if remedy is None:
            line.notices.warn("statuses", f"statuses cannot be read: {error}; asked again in {wait:.0f} s")
        elif not self._has_warned:
            self._has_warned = True
            line.notices.warn("statuses", f"the server answers {status} to a question for statuses: {remedy}")


def nobody() -> None:
    """Wake nobody, until there is a sender."""


def _document(outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, TransportError):
        raise outcome
    if not retry.is_success(outcome.status):
        raise TransportError(f"the answer must be 200, got {outcome.status}", status=outcome.status)
    return read_object(outcome)


def _list(document: dict[str, object], name: str) -> list[object]:
    value = document.get(name)
    if not isinstance(value, list):
        raise TransportError(f"the answer's {name} must be a list, got {type(value).__name__}")
    return value


def _status(change: object) -> SampleStatus:
    if not isinstance(change, dict):
        raise TransportError(f"a change must be an object, got {type(change).__name__}")
    words = {name: value for name in _WORDS if isinstance(value := change.get(name), str)}
    try:
        return SampleStatus(at=_time(change.get("at")), **words)
    except (TypeError, ValueError) as error:
        raise TransportError(f"a change must have id, state and at, got a fault: {error}") from None


def _time(text: object) -> datetime:
    at = datetime.fromisoformat(str(text))
    if at.utcoffset() is None:
        raise ValueError(f"a time must carry a time zone, got {text}")
    return at
