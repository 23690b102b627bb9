"""The background thread: brings what is spooled to the server, in order, until the server has it.

For each record: 1. build its request (an image's bytes never change again); 2. send; 3. on success acknowledge it in
the spool; on a refusal for good put it into the quarantine file, then acknowledge it; else wait and go back to 2.
To die anywhere is safe: the next process begins at 1 with the same id and bytes, which the server knows.
"""

import atexit
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from json import loads
from queue import Empty, SimpleQueue
from random import SystemRandom
from weakref import WeakSet

from feedback_sdk import pixels, retry
from feedback_sdk.calls import auth_headers, feedback_request, sample_request
from feedback_sdk.drops import Drop, DropReason, Drops, QuietLog
from feedback_sdk.errors import TransportError
from feedback_sdk.segment import Kind, Record
from feedback_sdk.spool import Spool
from feedback_sdk.transport import Request, Response, Transport

#: A host app's exit is not held up for longer than this.
EXIT_SECONDS = 0.5
#: Waiting a moment makes a burst of captures free of a busy second thread.
_LINGER_SECONDS = 0.25
_SYNC_SECONDS = 1.0
#: How often to look for the segments of processes that died.
_ADOPT_SECONDS = 10.0
_MAX_ANSWER_CHARS = 2000
_draw = SystemRandom().random


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """What became of the captures of this process."""

    #: stored on disk by this process
    accepted: int
    #: taken by the server, those adopted from dead processes too
    sent: int
    #: tries that brought no success
    retried: int
    #: refusals by DropReason
    dropped: Mapping[str, int]
    #: bytes of the whole spool folder
    spool_bytes: int


class Sender:
    """One thread that sends, and one that brings appended bytes to the disk every second."""

    def __init__(self, spool: Spool, transport: Transport, *, api_key: str, drops: Drops) -> None:
        self._spool = spool
        self._transport = transport
        self._headers = auth_headers(api_key)
        self._drops = drops
        self._log = QuietLog()
        self._begin()
        _senders.add(self)
        if spool.adopt():
            self.wake()

    def _begin(self) -> None:
        """Set what belongs to one process: nothing of it outlives a fork."""
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._bell: SimpleQueue[None] = SimpleQueue()  # its put may be interrupted by a put of a signal handler
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._progress = threading.Condition()
        self._is_awake = self._is_hurried = False
        self._not_before = self._give_up_at = self._adopt_at = 0.0
        self._failures = self._sent = self._retried = 0

    def accept(self, kind: Kind, text: bytes, *, payload: bytes | memoryview = b"") -> None:
        """Store a record on disk, to be sent soon; raise SpoolError where it cannot be stored."""
        self._spool.append(kind, text, payload)
        self.wake()

    def wake(self) -> None:
        """Say that there is something to send; costs next to nothing while the thread is at work."""
        if not self._is_awake:
            self._is_awake = True
            self._bell.put(None)
            self._start()

    def flush(self, timeout: float) -> bool:
        """Send now; return whether all that was accepted before is done within `timeout` seconds."""
        accepted = self._spool.accepted
        if self._spool.is_done(accepted):
            return True
        self._is_hurried = True
        self._is_awake = False
        self.wake()
        with self._progress:
            return self._progress.wait_for(lambda: self._spool.is_done(accepted), timeout)

    def stop(self, timeout: float) -> None:
        """Tell the threads to end within `timeout` seconds; what is not sent stays on disk for the next process."""
        with self._starting:
            self._give_up_at = time.monotonic() + timeout
            self._stopping.set()
            if self._thread is None:
                self._spool.close()
        self._bell.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the sending thread's end."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(timeout, 0.0))

    def stats(self) -> Stats:
        """Return the counters of this process."""
        return Stats(
            accepted=self._spool.accepted,
            sent=self._sent,
            retried=self._retried,
            dropped=self._drops.counts(),
            spool_bytes=self._spool.used_bytes,
        )

    def hold(self) -> None:
        """Keep appends out, before a fork."""
        self._spool.lock.acquire()

    def release(self) -> None:
        """Let appends in again, in the parent of a fork."""
        self._spool.lock.release()

    def forget(self) -> None:
        """Begin anew in the child of a fork: an empty spool, no thread, nothing of the parent's to send."""
        self._spool.forget()
        self._drops.forget()
        self._begin()

    def _start(self) -> None:
        with self._starting:
            if self._stopping.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._stopped.clear()
            threads = [
                threading.Thread(target=target, name=f"lookswrong-{name}", daemon=True)
                for name, target in (("send", self._run), ("sync", self._run_sync))
            ]
            with suppress(RuntimeError):  # the interpreter is going down: what is on disk waits for the next one
                threads[0].start()
                self._thread = threads[0]
                threads[1].start()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._await_work()
                self._pause(_LINGER_SECONDS)
                self._is_awake = False
                self._drain()
        finally:
            self._is_awake = False
            self._stopped.set()
            self._spool.sync()
            self._spool.close()

    def _run_sync(self) -> None:
        while not self._stopped.wait(_SYNC_SECONDS):
            self._spool.sync()
            self._spool.measure()

    def _await_work(self) -> None:
        while not self._stopping.is_set():
            if time.monotonic() >= self._adopt_at:
                self._adopt_at = time.monotonic() + _ADOPT_SECONDS
                self._is_awake |= self._spool.adopt() > 0
            if self._is_awake:
                return
            with suppress(Empty):
                self._bell.get(timeout=_ADOPT_SECONDS)

    def _drain(self) -> None:
        while not self._is_over() and (record := self._spool.next()) is not None:
            if not self._deliver(record):
                return
            with self._progress:
                self._progress.notify_all()
        with self._progress:
            self._progress.notify_all()

    def _deliver(self, record: Record) -> bool:
        """Bring one record to its end; False where the client stops before."""
        request = self._request(record)
        while True:
            outcome = self._try(request)
            if isinstance(outcome, Response) and retry.is_success(outcome.status):
                self._failures = 0
                self._sent += 1
                self._spool.done(record)
                return True
            wait = self._delay(outcome)
            if wait is None:
                assert isinstance(outcome, Response)  # only an answer can be a refusal for good
                self._refuse(record, outcome)
                return True
            if self._stopping.is_set():
                return False
            self._retried += 1
            self._failures += 1
            self._pause(wait)
            if self._stopping.is_set() and time.monotonic() < self._not_before:
                return False

    def _try(self, request: Request) -> Response | TransportError:
        try:
            answer = self._transport.send(request)
        except TransportError as error:
            return error
        if retry.is_success(answer.status) and "html" in answer.headers.get("content-type", ""):
            return TransportError("the answer must be Looks Wrong's, got a page: is there a login or proxy between?")
        return answer

    def _delay(self, outcome: Response | TransportError) -> float | None:
        status = outcome.status
        asked = None
        if isinstance(outcome, Response):
            asked = retry.retry_after(outcome.headers.get("retry-after"), now=datetime.now(UTC))
        wait = retry.delay(attempt=self._failures, status=status, retry_after_seconds=asked, draw=_draw())
        if wait is not None:
            self._not_before = time.monotonic() + (asked or 0.0)
            self._warn(outcome, wait)
        return wait

    def _warn(self, outcome: Response | TransportError, wait: float) -> None:
        if isinstance(outcome, TransportError):
            self._log.warn("away", f"{outcome}; captures wait on disk, next try in {wait:.0f} s")
        elif outcome.status in retry.KEY_REFUSED | retry.WRONG_ADDRESS:
            remedy = f"set LOOKSWRONG_{'API_KEY' if outcome.status in retry.KEY_REFUSED else 'URL'}"
            self._log.warn(f"status {outcome.status}", f"the server answers {outcome.status}: {remedy}; captures wait")
        else:
            self._log.warn("busy", f"the server answers {outcome.status}; next try in {wait:.0f} s")

    def _refuse(self, record: Record, answer: Response) -> None:
        self._failures = 0
        text = answer.body.decode(errors="replace")[:_MAX_ANSWER_CHARS]
        is_kept = self._spool.quarantine(record, {"status": answer.status, "body": text})
        self._spool.done(record)
        reason = DropReason.QUARANTINED if is_kept else DropReason.LOST
        message = f"the server refused a {record.kind.name.lower()} with status {answer.status}"
        self._drops.tell(Drop(reason=reason, message=message, id=_id_of(record)))

    def _request(self, record: Record) -> Request:
        if record.kind is Kind.FEEDBACK:
            return feedback_request(record.text, headers=self._headers)
        fields, image = loads(record.text), record.payload
        if record.kind is Kind.PIXELS:
            image = self._encode(record, pixels.Shape(**fields["shape"]))
            fields = fields["sample"]
        return sample_request(fields, image, headers=self._headers)

    def _encode(self, record: Record, shape: pixels.Shape) -> bytes:
        file = self._spool.encoded(record)
        if file is None:
            file = pixels.encode_png(record.payload, shape)
            self._spool.keep_encoded(record, file)
        return file

    def _pause(self, seconds: float) -> None:
        """Wait, unless a flush is in a hurry (but not against what the server asked for) or the client stops."""
        deadline = time.monotonic() + seconds
        while not self._stopping.is_set() and (now := time.monotonic()) < deadline:
            if self._is_hurried and now >= self._not_before:
                break
            with suppress(Empty):
                self._bell.get(timeout=deadline - now)
        self._is_hurried = False

    def _is_over(self) -> bool:
        return self._stopping.is_set() and time.monotonic() >= self._give_up_at


def _id_of(record: Record) -> str | None:
    fields = loads(record.text)
    return str(fields.get("sample", fields).get("id"))


_senders: WeakSet[Sender] = WeakSet()
_forking = threading.Lock()
_held: list[Sender] = []


def _before_fork() -> None:
    _forking.acquire()
    _held[:] = _senders
    for sender in _held:
        sender.hold()


def _after_fork_in_parent() -> None:
    for sender in _held:
        sender.release()
    _held.clear()
    _forking.release()


def _after_fork_in_child() -> None:
    for sender in list(_senders):
        sender.forget()
    _held.clear()
    _forking.release()


def _close_all() -> None:
    """Stop every sender within one exit budget."""
    give_up_at = time.monotonic() + EXIT_SECONDS
    senders = list(_senders)
    for sender in senders:
        sender.stop(EXIT_SECONDS)
    for sender in senders:
        sender.join(give_up_at - time.monotonic())


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
