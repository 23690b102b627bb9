"""The background threads: one brings what is spooled to the server, one keeps the spool in order.

The first begins a step, which is one request, whenever there is something to send; then it waits as the step says. A
flush cuts that wait short, but not against what the server asked for. To die anywhere is safe: the next process begins
with what is not done in the spool, the same ids and bytes, which the server knows.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from queue import Empty, SimpleQueue
from weakref import WeakMethod, WeakSet

from feedback_sdk.drops import Drops
from feedback_sdk.preparation import Preparation
from feedback_sdk.sender.batches import BatchSize
from feedback_sdk.sender.delivery import Delivery
from feedback_sdk.sender.line import Line
from feedback_sdk.sender.statuses import Statuses
from feedback_sdk.sender.wanted import WantedImages
from feedback_sdk.spool import Spool
from feedback_sdk.spool.segment import Kind
from feedback_sdk.transport import HttpTransport, Transport

#: A host app's exit is not held up for longer than this: half a second, with what the interpreter's own end takes.
EXIT_SECONDS = 0.4
_UPKEEP_SECONDS = 1.0
#: An eviction that brings no room is not repeated without a breath.
_BREATH_SECONDS = 0.1
#: How often to look for the segments of processes that died.
_ADOPT_SECONDS = 10.0
#: A fault of this package must neither end the sending nor make it spin.
_FAULT_SECONDS = 60.0


class Upload(StrEnum):
    """When a sample's image goes to the server."""

    ALWAYS = "always"
    WHEN_WANTED = "when_wanted"


@dataclass(frozen=True, kw_only=True, slots=True)
class SenderOptions:
    """What the app may say of the sending."""

    api_key: str
    upload: Upload = Upload.ALWAYS
    max_bytes_per_second: float | None = None
    status_poll_seconds: float = 30.0
    max_batch_records: int = 50
    max_batch_bytes: int = 4 << 20
    #: Waiting a moment makes a burst of captures one request, and free of a busy second thread.
    linger_seconds: float = 0.25


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
    #: predictions that sampling or the frame limit left out
    left_out: int = 0
    #: frames that a frame like them stands for
    collapsed: int = 0
    #: images whose sample went ahead, which wait until the server wants them
    waiting_images: int = 0
    #: of request bodies
    bytes_sent: int = 0
    #: closed: calls succeed; open: the server is away; half_open: it is back, or fails at what it gets
    circuit: str = "closed"
    #: whether `pause` holds everything back
    is_paused: bool = False


class Sender:
    """One thread that sends; another that brings appended bytes to the disk and makes room there."""

    def __init__(
        self, spool: Spool, transport: Transport, *, options: SenderOptions, drops: Drops, preparation: Preparation
    ) -> None:
        self._spool = spool
        self._transport = transport
        self._options = options
        self._drops = drops
        self._preparation = preparation
        self.statuses = Statuses(poll_seconds=options.status_poll_seconds)
        self._is_paused = False
        self._begin()
        _senders.add(self)
        if spool.adopt() or spool.waiting.look():
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
        self._flushes = 0
        self._give_up_at = self._adopt_at = 0.0
        options = self._options
        self._line = Line(self._transport, api_key=options.api_key, bytes_per_second=options.max_bytes_per_second)
        self._wanted = WantedImages(self._spool, self._line, drops=self._drops)
        # A capped link carries no batch for minutes on end.
        rate = options.max_bytes_per_second
        max_bytes = options.max_batch_bytes if rate is None else min(options.max_batch_bytes, int(rate))
        self._delivery = Delivery(
            self._spool,
            self._line,
            preparation=self._preparation,
            wanted=self._wanted,
            drops=self._drops,
            sizes=BatchSize(max_records=options.max_batch_records, max_bytes=max_bytes),
            withholds_images=options.upload == Upload.WHEN_WANTED,
        )
        # Weak, for a ring would keep a client that is dropped, and its connection, until the collector comes.
        wake = WeakMethod(self.wake)
        self.statuses.wake = lambda: _call(wake)

    def accept(self, kind: Kind, sample_id: bytes, text: bytes, payload: bytes | memoryview = b"") -> None:
        """Store a record on disk, to be sent soon; raise SpoolError where it cannot be stored."""
        self._spool.append(kind, sample_id, text, payload)
        if not self._is_awake:
            self.wake()

    def wake(self) -> None:
        """Say that there is something to do; costs next to nothing while the thread is at work."""
        if not self._is_awake:
            self._is_awake = True
            self._bell.put(None)
            self._start()

    def flush(self, timeout: float) -> bool:
        """Send now; return whether all that was accepted before is done within `timeout` seconds."""
        mark = self._spool.mark()
        if self._is_paused or self._spool.is_done(mark):
            return self._spool.is_done(mark)
        with self._progress:
            self._flushes += 1
        self._is_hurried = True
        self._is_awake = False
        self.wake()
        try:
            with self._progress:
                return self._progress.wait_for(
                    lambda: self._is_paused or (self._spool.is_done(mark) and not self._wanted.has_uploads), timeout
                ) and self._spool.is_done(mark)
        finally:
            with self._progress:
                self._flushes -= 1

    def pause(self) -> None:
        """Send nothing until `resume`, once the request under way has ended; captures go on."""
        self._is_paused = True
        self._notify()

    def resume(self) -> None:
        """Send again."""
        self._is_paused = False
        self._is_awake = False
        self.wake()

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
            sent=self._delivery.sent,
            retried=self._line.retried,
            dropped=self._drops.counts(),
            spool_bytes=self._spool.used_bytes,
            collapsed=self._preparation.collapsed,
            waiting_images=self._wanted.waiting,
            bytes_sent=self._line.bytes_sent,
            circuit=self._line.circuit.state.value,
            is_paused=self._is_paused,
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
        self._preparation.forget()
        self.statuses.forget()
        self._begin()

    def _start(self) -> None:
        with self._starting:
            if self._stopping.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._stopped.clear()
            threads = [
                threading.Thread(target=target, name=f"lookswrong-{name}", daemon=True)
                for name, target in (("send", self._run), ("spool", self._run_upkeep))
            ]
            with suppress(RuntimeError):  # the interpreter is going down: what is on disk waits for the next one
                threads[0].start()
                self._thread = threads[0]
                threads[1].start()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._await_work()
                self._pause(self._options.linger_seconds)
                self._is_awake = False
                self._drain_safely()
        finally:
            self._is_awake = False
            self._stopped.set()
            self._spool.needs_room.set()
            self._spool.sync()
            self._spool.close()
            if isinstance(self._transport, HttpTransport):
                self._transport.close()

    def _run_upkeep(self) -> None:
        while not self._stopped.is_set():
            if self._spool.needs_room.wait(_UPKEEP_SECONDS):
                self._stopped.wait(_BREATH_SECONDS)
            if self._stopped.is_set():
                return
            self._spool.sync()
            self._spool.measure()
            self._spool.make_room()
            self._notify()

    def _await_work(self) -> None:
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= self._adopt_at:
                self._adopt_at = now + _ADOPT_SECONDS
                self._is_awake |= self._spool.adopt() > 0
            due_at = self._next_due()
            if self._is_awake or due_at <= now:
                return
            with suppress(Empty):
                self._bell.get(timeout=min(due_at - now, _ADOPT_SECONDS))

    def _next_due(self) -> float:
        """Return the monotonic time at which something is to be done although nobody rings."""
        if self._is_paused:
            return float("inf")
        parts = (self._spool, self._preparation, self._wanted, self.statuses)
        return min((at for part in parts if (at := part.next_due()) is not None), default=float("inf"))

    def _drain_safely(self) -> None:
        try:
            self._drain()
        except Exception as error:  # the boundary: a fault of ours, or of what the app gave, must not end the sending
            self._line.notices.warn("fault", f"a step must not fail, got {type(error).__name__}: {error}")
            self._delivery.set_aside()
            self._pause(_FAULT_SECONDS)

    def _drain(self) -> None:
        while not self._is_over() and not self._is_paused and (wait := self._step()) is not None:
            self._notify()
            if wait > 0:
                if self._stopping.is_set():
                    break
                self._pause(wait)
                if self._stopping.is_set() and time.monotonic() < self._line.not_before:
                    break
        self._notify()

    def _step(self) -> float | None:
        """Make one request, the most urgent; return the seconds to wait, None: there is nothing to do."""
        if wait := self._line.probe():
            return wait
        if self._stopping.is_set():  # in the time that is left, what only we have comes first
            return self._delivery.step(releases_all=True)
        for make in (self._poll, self._wanted.send, self._deliver, self._wanted.ask):
            wait_of = make()
            if wait_of is not None:
                return wait_of
        return None

    def _poll(self) -> float | None:
        return self.statuses.poll(self._line)

    def _deliver(self) -> float | None:
        return self._delivery.step(releases_all=self._flushes > 0)

    def _pause(self, seconds: float) -> None:
        """Wait, unless a flush is in a hurry (but not against what the server asked for) or the client stops."""
        deadline = time.monotonic() + seconds
        while not self._stopping.is_set() and (now := time.monotonic()) < deadline:
            if self._is_hurried and now >= self._line.not_before:
                break
            with suppress(Empty):
                self._bell.get(timeout=deadline - now)
        self._is_hurried = False

    def _notify(self) -> None:
        with self._progress:
            self._progress.notify_all()

    def _is_over(self) -> bool:
        return self._stopping.is_set() and time.monotonic() >= self._give_up_at


def _call(method: "WeakMethod[Callable[[], None]]") -> None:
    function = method()
    if function is not None:
        function()


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
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
