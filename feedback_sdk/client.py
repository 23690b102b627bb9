"""FeedbackClient: what an app calls. No method raises, blocks on the network, or costs more than a small disk write.

What cannot be taken is counted, told to `on_drop`, logged at most once a minute, and answered with None.
"""

import logging
import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar
from uuid import UUID

from feedback_sdk import arguments, pixels, tokens
from feedback_sdk.drops import Drop, DropReason, Drops
from feedback_sdk.errors import FeedbackError, SpoolError, TransportError, ValidationError
from feedback_sdk.segment import Kind
from feedback_sdk.sender import EXIT_SECONDS, Sender, Stats
from feedback_sdk.spool import Spool, SpoolFullError, state_folder
from feedback_sdk.transport import HttpTransport, Request, Response, Transport
from feedback_sdk.types import BoxCorrection, Correction, Feedback, Point, Prediction, Sample, Size, Verdict
from feedback_sdk.wire import canonical_json

_LOG = logging.getLogger("feedback_sdk")
_P = ParamSpec("_P")
_R = TypeVar("_R")


class _ClosedError(FeedbackError):
    """The client was closed before this call."""


def _never_raising(
    method: Callable[Concatenate["FeedbackClient", _P], _R | None],
) -> Callable[Concatenate["FeedbackClient", _P], _R | None]:
    """Turn every fault of a method into a drop and None: the app must not fall for its feedback."""

    @wraps(method)
    def guarded(self: "FeedbackClient", /, *args: _P.args, **kwargs: _P.kwargs) -> _R | None:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # the boundary: whatever it is, the app goes on
            self._drops.tell(_drop_of(error))
            return None

    return guarded


class FeedbackClient:
    """Captures predictions and what users say of them, and brings both to the server in the background.

    `url` and `api_key` come from LOOKSWRONG_URL and LOOKSWRONG_API_KEY where not given; without them the client does
    nothing and says so once in the log. `spool_dir` (LOOKSWRONG_SPOOL_DIR, else a folder of the user's for each server
    and key) holds what is not sent yet, at most `max_spool_bytes`: give each project its own. `on_drop` hears of every
    capture that is refused, on the thread where it happens. Safe for threads and forks.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        spool_dir: str | os.PathLike[str] | None = None,
        max_spool_bytes: int = 256 << 20,
        transport: Transport | None = None,
        on_drop: Callable[[Drop], None] | None = None,
    ) -> None:
        self._drops = Drops(_guarded_listener(on_drop))
        self._api_key = api_key or os.environ.get("LOOKSWRONG_API_KEY", "")
        self._sender: Sender | None = None
        self._is_closed = False
        self._open(
            url or os.environ.get("LOOKSWRONG_URL", ""),
            spool_dir=spool_dir or os.environ.get("LOOKSWRONG_SPOOL_DIR"),
            max_spool_bytes=max_spool_bytes,
            transport=transport,
        )

    @property
    def is_enabled(self) -> bool:
        """Whether captures go anywhere."""
        return self._sender is not None

    @_never_raising
    def log_prediction(  # noqa: PLR0913  # one capture is one flat call: every argument is a field of the wire format
        self,
        image: pixels.Image | None = None,
        prediction: Prediction | Mapping[str, object] | None = None,
        *,
        id: str | UUID | None = None,  # noqa: A002  # named as on the wire
        tags: Sequence[str] = (),
        metadata: Mapping[str, object] | None = None,
        subject: str | None = None,
        stream: str | None = None,
        capture_probability: float = 1.0,
        stands_for: int = 1,
        embedding: Sequence[float] | None = None,
        captured_at: datetime | None = None,
    ) -> str | None:
        """Capture an input with what the model said of it; return the sample's id, or None on refusal.

        `image` is a path (read now), the bytes of an image file, a PIL image or a numpy array of uint8 (height, width
        [, channels], RGB). A caller that repeats a capture gives the same `id` and `captured_at`: it is then the same
        sample. On return it is on disk and survives the death of the process.
        """
        if self._sender is None:
            return None
        sample = Sample(
            id=arguments.uuid_or_new(id),
            captured_at=arguments.time_or_now(captured_at),
            prediction=arguments.prediction(prediction),
            tags=arguments.tags(tags),
            metadata=arguments.metadata(metadata),
            subject=subject,
            stream=stream,
            capture_probability=capture_probability,
            stands_for=stands_for,
            embedding=arguments.embedding(embedding),
        )
        kind, text, payload = _spooled(sample, image)
        self._accept(kind, text, payload=payload)
        return str(sample.id)

    @_never_raising
    def confirm(
        self,
        id: str | UUID,  # noqa: A002  # named as on the wire
        *,
        reporter: str | None = None,
        feedback_id: str | UUID | None = None,
        age_ms: int = 0,
    ) -> str | None:
        """Say that a user finds the prediction right; return the feedback's id, or None on refusal.

        `reporter` is a pseudonym of who says it; a repeat with the same `feedback_id` is the same feedback.
        """
        return self._say(id, Verdict.CONFIRMED, feedback_id=feedback_id, reporter=reporter, age_ms=age_ms)

    @_never_raising
    def reject(
        self,
        id: str | UUID,  # noqa: A002  # named as on the wire
        *,
        comment: str | None = None,
        reporter: str | None = None,
        feedback_id: str | UUID | None = None,
        age_ms: int = 0,
    ) -> str | None:
        """Say that a user finds the prediction wrong; return the feedback's id, or None on refusal."""
        return self._say(
            id, Verdict.REJECTED, feedback_id=feedback_id, comment=comment, reporter=reporter, age_ms=age_ms
        )

    @_never_raising
    def correct(
        self,
        id: str | UUID,  # noqa: A002  # named as on the wire
        *,
        count: int | None = None,
        label: str | None = None,
        boxes: Sequence[BoxCorrection] | None = None,
        points: Sequence[Point | tuple[float, float]] | None = None,
        image_size: Size | None = None,
        comment: str | None = None,
        reporter: str | None = None,
        feedback_id: str | UUID | None = None,
        age_ms: int = 0,
    ) -> str | None:
        """Say what a user finds right instead, in pixels of `image_size`; return the feedback's id, or None."""
        return self._say(
            id,
            Verdict.CORRECTED,
            correction=arguments.correction(
                count=count, label=label, boxes=boxes, points=points, image_size=image_size
            ),
            feedback_id=feedback_id,
            comment=comment,
            reporter=reporter,
            age_ms=age_ms,
        )

    @_never_raising
    def feedback_token(
        self,
        id: str | UUID,  # noqa: A002
        *,
        reporter: str | None = None,
        scope: str = tokens.FEEDBACK,
        lifetime: timedelta = timedelta(days=14),
    ) -> str | None:
        """Mint, offline, what lets one user's browser or phone speak of this one sample; None without a key."""
        if not self._api_key:
            return None
        return tokens.mint(
            self._api_key,
            sample_id=arguments.uuid(id),
            reporter=reporter,
            scope=scope,
            expires_at=int(time.time() + lifetime.total_seconds()),
        )

    def flush(self, timeout: float = 10.0) -> bool:
        """Send now; return whether everything captured before has been dealt with within `timeout` seconds."""
        return bool(self._flush(timeout))

    def close(self, timeout: float = EXIT_SECONDS) -> None:
        """Send for `timeout` seconds at most and stop; the rest stays on disk for the next client."""
        self._close(timeout)

    def stats(self) -> Stats:
        """Return the counters of this process."""
        if self._sender is None:
            return Stats(accepted=0, sent=0, retried=0, dropped=self._drops.counts(), spool_bytes=0)
        return self._sender.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @_never_raising
    def _open(
        self,
        url: str,
        *,
        spool_dir: str | os.PathLike[str] | None,
        max_spool_bytes: int,
        transport: Transport | None,
    ) -> None:
        if transport is None and not (url and self._api_key):
            _LOG.warning("looks wrong: LOOKSWRONG_URL and LOOKSWRONG_API_KEY must be set to capture; nothing is")
            return
        if max_spool_bytes < 1:
            raise ValidationError("max_spool_bytes", f"max_spool_bytes must be >= 1, got {max_spool_bytes}")
        kid = tokens.split_key(self._api_key)[0] if self._api_key else ""
        transport = HttpTransport(url) if transport is None else _GuardedTransport(transport)
        folder = Path(spool_dir) if spool_dir else state_folder(url=url, kid=kid)
        spool = Spool(folder, max_bytes=max_spool_bytes)
        self._sender = Sender(spool, transport, api_key=self._api_key, drops=self._drops)
        # A client that is dropped without close must not leave its threads; what it spooled, the next one adopts.
        weakref.finalize(self, self._sender.stop, 0.0).atexit = False

    def _say(
        self,
        sample_id: str | UUID,
        verdict: Verdict,
        *,
        feedback_id: str | UUID | None,
        reporter: str | None,
        age_ms: int,
        comment: str | None = None,
        correction: Correction | None = None,
    ) -> str | None:
        if self._sender is None:
            return None
        feedback = Feedback(
            id=arguments.uuid_or_new(feedback_id),
            sample_id=arguments.uuid(sample_id),
            verdict=verdict,
            correction=correction,
            comment=comment,
            reporter=reporter,
            age_ms=age_ms,
        )
        self._accept(Kind.FEEDBACK, canonical_json(feedback))
        return str(feedback.id)

    def _accept(self, kind: Kind, text: bytes, *, payload: bytes | memoryview = b"") -> None:
        if self._is_closed:
            raise _ClosedError("the client must be open, got a call after close")
        assert self._sender is not None
        self._sender.accept(kind, text, payload=payload)

    @_never_raising
    def _flush(self, timeout: float) -> bool:
        return self._sender is None or self._sender.flush(timeout)

    @_never_raising
    def _close(self, timeout: float) -> None:
        self._is_closed = True
        if self._sender is not None:
            self._sender.stop(timeout)
            self._sender.join(timeout)


class _GuardedTransport:
    """The app's own transport, with whatever it raises turned into what the sender can retry."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, request: Request) -> Response:
        try:
            return self._transport.send(request)
        except TransportError:
            raise
        except Exception as error:  # the boundary, seen from the sender's thread
            raise TransportError(f"a transport must raise TransportError alone, got {type(error).__name__}") from error


def _guarded_listener(on_drop: Callable[[Drop], None] | None) -> Callable[[Drop], None]:
    def listen(drop: Drop) -> None:
        try:
            if on_drop is not None:
                on_drop(drop)
        except Exception as error:  # the boundary: the app's listener must not break the app's call
            _LOG.warning("looks wrong: on_drop must not raise, got %s", type(error).__name__)

    return listen


def _spooled(sample: Sample, image: pixels.Image | None) -> tuple[Kind, bytes, bytes | memoryview]:
    """Return a sample as the spool takes it: kind, JSON and payload."""
    text = canonical_json(sample)
    if image is None:
        return Kind.SAMPLE, text, b""
    picture = pixels.read(image)
    if picture.shape is None:
        return Kind.SAMPLE, text, picture.payload
    return Kind.PIXELS, b'{"sample":%b,"shape":%b}' % (text, canonical_json(picture.shape)), picture.payload


def _drop_of(error: Exception) -> Drop:
    """Describe a fault without what the user typed: our own messages name fields and bounds, others may not."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return Drop(reason=reason, message=str(error))
    if isinstance(error, OSError):
        return Drop(reason=DropReason.INVALID, message=f"image must be a readable file, got: {error.strerror}")
    is_of_arguments = isinstance(error, ValueError | AttributeError | ArithmeticError)
    reason = DropReason.INVALID if is_of_arguments else DropReason.INTERNAL
    return Drop(reason=reason, message=f"a call must succeed, got {type(error).__name__}")


_REASONS: Mapping[type[Exception], DropReason] = {
    ValidationError: DropReason.INVALID,
    TypeError: DropReason.INVALID,
    SpoolFullError: DropReason.SPOOL_FULL,
    SpoolError: DropReason.DISK,
    _ClosedError: DropReason.CLOSED,
}
