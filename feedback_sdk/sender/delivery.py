"""Brings records to the server: one step is one request.

1. Gather what the spool hands out, as much as one request may hold, and make it ready. 2. Send: one sample alone, more
of them together, each feedback alone and behind the samples of its round. 3. Read what became of each: taken, it is
done; refused for good, it goes to quarantine; else it is tried again, the same bytes under the same id.

What was gathered stays in memory until it is dealt with, so that a retry changes nothing; what is not dealt with when
the process ends is still in the spool. At most two copies of one request's bytes are held: the records and the body.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from json import loads

from feedback_sdk.calls import (
    Answer,
    Parcel,
    aged,
    batch_request,
    faults,
    feedback_request,
    packed,
    parcel_request,
    read_batch,
    read_sample,
)
from feedback_sdk.drops import Drop, DropReason, Drops
from feedback_sdk.errors import PreparationError, SpoolError, TransportError
from feedback_sdk.preparation import Preparation, Ready
from feedback_sdk.retry import delay, is_down, is_success
from feedback_sdk.sender.batches import BatchSize
from feedback_sdk.sender.circuit import OPENS_AFTER
from feedback_sdk.sender.line import Line, Outcome
from feedback_sdk.sender.wanted import WantedImages
from feedback_sdk.spool import Spool
from feedback_sdk.spool.segment import Kind, Record
from feedback_sdk.spool.waiting import id_text
from feedback_sdk.transport import Request, Response

_MAX_ANSWER_CHARS = 2000
_DEFER_SECONDS = 60.0
_MAX_DEFER_SECONDS = 3600.0
_STUCK_SECONDS = 5.0
#: Deferred records whose number of deferrals is remembered.
_MAX_REMEMBERED = 1000


class _Item:
    """A record that is on its way, with what goes over the wire for it."""

    __slots__ = ("parcel", "record", "withheld")

    def __init__(self, record: Record, parcel: Parcel, *, withheld: bytes = b"") -> None:
        self.record = record
        self.parcel = parcel
        #: the image that stays here until it is wanted
        self.withheld = withheld

    @property
    def size(self) -> int:
        raw = len(self.record.payload) if self.record.kind is Kind.PIXELS else 0
        return raw + len(self.parcel.text) + len(self.parcel.image) + len(self.withheld)


class _Job:
    """A request under way, and the records that it speaks for."""

    __slots__ = ("items", "request", "tries")

    def __init__(self, items: list[_Item], request: Request) -> None:
        self.items = items
        self.request = request
        self.tries = 0


class Delivery:
    """What lies between the spool and the line; called on the sender's thread alone."""

    def __init__(
        self,
        spool: Spool,
        line: Line,
        *,
        preparation: Preparation,
        wanted: WantedImages,
        drops: Drops,
        sizes: BatchSize,
        withholds_images: bool = False,
    ) -> None:
        self.sent = 0
        self._spool = spool
        self._line = line
        self._preparation = preparation
        self._wanted = wanted
        self._drops = drops
        self._sizes = sizes
        self._withholds_images = withholds_images
        self._samples: deque[_Item] = deque()
        self._feedback: deque[_Item] = deque()
        self._job: _Job | None = None
        #: monotonic; more is put off than can be, so nothing is begun before
        self._stuck_until = 0.0
        #: handed out, and not in the round yet
        self._taking: Record | None = None
        self._deferrals: OrderedDict[tuple[Kind, bytes, int], int] = OrderedDict()

    def step(self, *, releases_all: bool = False) -> float | None:
        """Make one request; return the seconds to wait before the next step, None: there is nothing to send.

        `releases_all`: frames that are held until their burst has ended go now.
        """
        if (stuck := self._stuck_until - time.monotonic()) > 0:
            return stuck
        if self._job is None:
            has_taken = not (self._samples or self._feedback) and self._gather(releases_all=releases_all)
            self._job = self._next_job()
            if self._job is None:
                return 0.0 if has_taken else None
        if wait := self._line.bandwidth_wait():
            return wait
        return self._send(self._job)

    def set_aside(self) -> None:
        """Put all that is in hand off for later, after a fault that no rule foresees."""
        items = [*(self._job.items if self._job else ()), *self._samples, *self._feedback]
        for record in [item.record for item in items] + ([self._taking] if self._taking else []):
            self._defer(record)
        self._samples.clear()
        self._feedback.clear()
        self._job = self._taking = None

    def _gather(self, *, releases_all: bool) -> bool:
        """Fill the round; return whether the spool had any record, dropped or held ones too."""
        now = time.monotonic()
        count, room = self._sizes.records(now=now), self._sizes.bytes(now=now)
        size = taken = 0
        while taken < count and (record := self._spool.next()) is not None:
            if taken and size + len(record.text) + len(record.payload) > room:
                self._spool.rewind([record])
                break
            taken += 1
            self._taking = record
            item = self._prepare(record)
            self._taking = None
            size += 0 if item is None else item.size
        for ready in self._preparation.due(everything=releases_all and taken < count):
            self._samples.append(self._sample_item(ready))
            taken += 1
        return taken > 0

    def _prepare(self, record: Record) -> _Item | None:
        try:
            return self._prepare_feedback(record) if record.kind is Kind.FEEDBACK else self._prepare_sample(record)
        except PreparationError as error:
            self._refuse(record, {"error": str(error)}, reason=DropReason.BEFORE_SEND, message=str(error))
        except SpoolError as error:
            self._line.notices.warn("disk", f"{error}; the capture waits")
            self._defer(record)
        return None

    def _prepare_sample(self, record: Record) -> _Item | None:
        ready = self._preparation.take(record)
        if ready is None:
            return None
        item = self._sample_item(ready)
        self._samples.append(item)
        return item

    def _prepare_feedback(self, record: Record) -> _Item | None:
        text = self._preparation.feedback(record)
        if text is None:
            return None
        item = _Item(record, Parcel(text=text))
        self._feedback.append(item)
        return item

    def _sample_item(self, ready: Ready) -> _Item:
        parcel = packed(ready.text, ready.image)
        if not (self._withholds_images and ready.image):
            return _Item(ready.record, parcel)
        return _Item(ready.record, Parcel(text=parcel.text), withheld=ready.image)

    def _next_job(self) -> _Job | None:
        if self._samples:
            items = self._next_samples()
            parcels = {id_text(item.record.sample_id): item.parcel for item in items}
            if len(items) == 1:
                return _Job(items, parcel_request(items[0].parcel, headers=self._line.headers))
            return _Job(items, batch_request(parcels, headers=self._line.headers))
        if self._feedback:
            item = self._feedback.popleft()
            return _Job([item], feedback_request(item.parcel.text, headers=self._line.headers))
        return None

    def _next_samples(self) -> list[_Item]:
        now = time.monotonic()
        count, room = self._sizes.records(now=now), self._sizes.bytes(now=now)
        self._sizes.alone = max(0, self._sizes.alone - 1)
        items: list[_Item] = []
        ids: set[bytes] = set()
        while self._samples and len(items) < count:
            item = self._samples[0]
            # An id that comes twice is answered twice: 200, or 409 for other content.
            if items and (item.size > room or item.record.sample_id in ids):
                break
            room -= item.size
            ids.add(item.record.sample_id)
            items.append(self._samples.popleft())
        return items

    def _send(self, job: _Job) -> float:
        is_feedback = job.items[0].record.kind is Kind.FEEDBACK
        has_recovered = self._line.has_recovered
        outcome = self._line.call(self._aged(job) if is_feedback else job.request)
        if isinstance(outcome, Response) and is_success(outcome.status):
            return self._hear(job, outcome)
        wait = self._line.back_off(outcome)
        if wait is None:
            self._job = None
            if len(job.items) > 1:
                self._split(job)
            else:
                self._settle(job.items[0], _answer_of(outcome))
            return 0.0
        job.tries += 1
        if is_down(outcome.status) and self._is_suspect(job, outcome, has_recovered=has_recovered):
            self._step_aside(job)
        return wait

    def _aged(self, job: _Job) -> Request:
        """Return a feedback's request with its age as of now: the server's clock may be years from the app's."""
        [item] = job.items
        waited_ms = time.time_ns() // 1_000_000 - item.record.accepted_at_ms
        return feedback_request(aged(item.parcel.text, waited_ms), headers=self._line.headers)

    def _hear(self, job: _Job, response: Response) -> float:
        self._job = None
        self._line.succeed()
        if len(job.items) == 1:
            self._settle(job.items[0], read_sample(response))
            return 0.0
        try:
            answers = read_batch(response, sample_ids=[id_text(item.record.sample_id) for item in job.items])
        except TransportError as error:  # whoever answers does not know batches
            self._line.notices.warn("batch", f"{error}; the samples go one by one")
            self._split(job)
            return 0.0
        for item, answer in zip(job.items, answers, strict=True):
            self._settle(item, answer)
        return 0.0

    def _settle(self, item: _Item, answer: Answer) -> None:
        """Bring one record to its end by what the server says of it alone."""
        status = answer.status
        if status is not None and is_success(status):
            self._taken(item, answer)
        elif delay(attempt=0, status=status, retry_after_seconds=None, draw=0.0) is not None:
            self._defer(item.record)
        else:
            text = answer.body.decode(errors="replace")[:_MAX_ANSWER_CHARS]
            said = faults(answer.body) or f"status {status}"
            kind = "feedback" if item.record.kind is Kind.FEEDBACK else "sample"
            message = f"the server refused a {kind}: {said}"
            self._refuse(item.record, {"status": status, "body": text}, reason=DropReason.QUARANTINED, message=message)

    def _taken(self, item: _Item, answer: Answer) -> None:
        record = item.record
        if item.withheld and answer.image != "stored":
            is_wanted = answer.image == "wanted"
            try:
                self._wanted.keep(
                    record.sample_id, item.withheld, accepted_at_ms=record.accepted_at_ms, is_wanted=is_wanted
                )
            except SpoolError as error:
                self._line.notices.warn("disk", f"{error}; the capture waits")
                self._defer(record)
                return
        self.sent += 1
        self._spool.done(record)
        self._deferrals.pop(_key(record), None)
        if record.kind is Kind.FEEDBACK:
            self._wanted.ask_about(record.sample_id)

    def _refuse(self, record: Record, answer: Mapping[str, object], *, reason: DropReason, message: str) -> None:
        is_kept = self._spool.quarantine(record, answer)
        self._spool.done(record)
        self._deferrals.pop(_key(record), None)
        self._drops.tell(Drop(reason=reason if is_kept else DropReason.LOST, message=message, id=_id_of(record)))

    def _split(self, job: _Job) -> None:
        """Let the samples of a batch go one by one, from memory."""
        self._sizes.halve(refused=len(job.items), now=time.monotonic())
        self._samples.extendleft(reversed(job.items))

    def _is_suspect(self, job: _Job, outcome: Outcome, *, has_recovered: bool) -> bool:
        """Return whether it may be what is in this request that the server fails at, as it answered a probe before."""
        if has_recovered and job.tries >= OPENS_AFTER:
            return True
        has_stepped_aside = len(job.items) == 1 and _key(job.items[0].record) in self._deferrals
        return has_stepped_aside and isinstance(outcome, Response)

    def _step_aside(self, job: _Job) -> None:
        """Let others pass."""
        self._job = None
        if len(job.items) > 1:
            self._split(job)
        else:
            self._defer(job.items[0].record)

    def _defer(self, record: Record) -> None:
        """Hand a record back for later, each time for longer; where too many are, all wait."""
        key = _key(record)
        turn = self._deferrals.pop(key, 0)
        self._deferrals[key] = turn + 1
        if len(self._deferrals) > _MAX_REMEMBERED:
            self._deferrals.popitem(last=False)
        seconds = min(_MAX_DEFER_SECONDS, _DEFER_SECONDS * 2.0 ** min(turn, 10))
        if not self._spool.defer(record, seconds=seconds):
            self._spool.rewind([record])
            self._stuck_until = time.monotonic() + _STUCK_SECONDS


def _key(record: Record) -> tuple[Kind, bytes, int]:
    return record.kind, record.sample_id, record.start


def _answer_of(outcome: Outcome) -> Answer:
    """Return a refusal as it is kept; the app's own transport may raise one."""
    body = outcome.body if isinstance(outcome, Response) else str(outcome).encode()
    return Answer(status=outcome.status, body=body)


def _id_of(record: Record) -> str | None:
    if record.kind is not Kind.FEEDBACK:
        return id_text(record.sample_id)
    return str(loads(record.text).get("id"))
