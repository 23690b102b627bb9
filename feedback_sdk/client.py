"""FeedbackClient: what an app calls. No method raises, blocks on the network, or costs more than a small disk write.

What cannot be taken is counted, told to `on_drop`, logged at most once a minute, and answered with None.
"""

import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, Unpack, cast
from uuid import UUID

from feedback_sdk import arguments, opening, pixels, tokens
from feedback_sdk.bounds import check_time
from feedback_sdk.drops import Drops, warn
from feedback_sdk.errors import ValidationError
from feedback_sdk.limits import FrameLimit, Sampling
from feedback_sdk.options import Options, check, is_switched_on
from feedback_sdk.refusals import ClosedError, drop_of, guarded_listener
from feedback_sdk.sender import EXIT_SECONDS, Sender, Stats
from feedback_sdk.sender.statuses import SampleStatus
from feedback_sdk.spool.segment import Kind
from feedback_sdk.types import BoxCorrection, Correction, Feedback, Point, Prediction, Size, Verdict
from feedback_sdk.wire import canonical_json

#: the default of `image`, known by its identity
_NO_IMAGE: pixels.Image = bytearray()
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _never_raising(
    method: Callable[Concatenate["FeedbackClient", _P], _R | None],
) -> Callable[Concatenate["FeedbackClient", _P], _R | None]:
    """Turn every fault of a method into a drop and None: the app must not fall for its feedback."""

    @wraps(method)
    def guarded(self: "FeedbackClient", /, *args: _P.args, **kwargs: _P.kwargs) -> _R | None:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # the boundary: whatever it is, the app goes on
            self._drops.tell(drop_of(error, method=method.__name__))
            return None

    return guarded


class FeedbackClient:
    """Captures predictions and what users say of them, and brings both to the server in the background.

    `url` and `api_key` come from LOOKSWRONG_URL and LOOKSWRONG_API_KEY where not given; without them the client does
    nothing and says so once in the log. `spool_dir` (LOOKSWRONG_SPOOL_DIR, else a folder of the user's for each server
    and key) holds what is not sent yet: give each project its own. `options.Options` lists all other arguments.
    LOOKSWRONG_DISABLED=1 switches every client off, LOOKSWRONG_DRY_RUN=1 lets none send. Safe for threads and forks.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        spool_dir: str | os.PathLike[str] | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._drops = Drops(guarded_listener(options.get("on_drop")))
        # None is "not given": what an app reads from its own settings
        self._options = cast("Options", {name: value for name, value in options.items() if value is not None})
        self._api_key = api_key or os.environ.get("LOOKSWRONG_API_KEY", "")
        self._sender: Sender | None = None
        self._sampling: Sampling | None = None
        self._frames: FrameLimit | None = None
        self._is_thinning = False
        self._left_out = 0
        self._has_told_of_none = False
        self._is_closed = False
        #: the server's address, which pages need too; "" where none was given
        self.url = url or os.environ.get("LOOKSWRONG_URL", "")
        self._open(self.url, spool_dir or os.environ.get("LOOKSWRONG_SPOOL_DIR"))

    @property
    def is_enabled(self) -> bool:
        """Whether captures go anywhere."""
        return self._sender is not None

    @_never_raising
    def log_prediction(  # noqa: PLR0913  # one capture is one flat call: every argument is a field of the wire format
        self,
        image: pixels.Image | None = _NO_IMAGE,
        prediction: Prediction | Mapping[str, object] | object | None = None,
        *,
        id: str | UUID | None = None,  # noqa: A002  # named as on the wire
        model_version: str | None = None,
        tags: Sequence[str] = arguments.NO_TAGS,
        metadata: Mapping[str, object] | None = None,
        subject: str | None = None,
        stream: str | None = None,
        capture_probability: float = 1.0,
        stands_for: int = 1,
        embedding: Sequence[float] | None = None,
        captured_at: datetime | None = None,
        channel_order: str = "RGB",
    ) -> str | None:
        """Capture an input with what the model said of it; return the sample's id, or None on refusal.

        `image` is a path (read now), the bytes of an image file, a PIL image or a numpy array of uint8 (height, width
        [, channels], in `channel_order`: OpenCV's is "BGR"); a sample may go without. `prediction` is a Prediction, a
        mapping with its fields, or what a model's package gives (see `feedback_sdk.adapters`), of `model_version`.
        None is also the answer where sampling or the frame limit leaves a prediction out. A caller that repeats a
        capture gives the same `id` and `captured_at`: it is then the same sample. On return it is on disk and survives
        the death of the process.
        """
        if self._sender is None:
            return None
        text_id, raw_id = arguments.new_id() if id is None else arguments.id_pair(id)
        if self._is_thinning:
            kept = self._thinned(raw_id, stream)
            if kept is None:
                return None
            stands_for, capture_probability = stands_for * kept[0], capture_probability * kept[1]
        picture = None if image is _NO_IMAGE else self._read_image(image, channel_order)
        if prediction is not None and type(prediction) is not Prediction:
            prediction = self._read_prediction(prediction, model_version=model_version, picture=picture)
        text = arguments.sample_text(
            text_id,
            prediction,
            captured_at=captured_at,
            tags=tags,
            metadata=metadata,
            subject=subject,
            stream=stream,
            capture_probability=capture_probability,
            stands_for=stands_for,
            embedding=embedding,
        )
        if picture is None:
            self._accept(Kind.SAMPLE, raw_id, text.encode())
        else:
            self._accept_image(raw_id, text.encode(), picture)
        return text_id

    @_never_raising
    def confirm(
        self,
        id: str | UUID | None,  # noqa: A002  # named as on the wire
        *,
        reporter: str | None = None,
        feedback_id: str | UUID | None = None,
        age_ms: int = 0,
    ) -> str | None:
        """Say that a user finds the prediction right; return the feedback's id, or None on refusal.

        Nothing is done for the id None, which is `log_prediction`'s answer for what it left out. `reporter` is a
        pseudonym of who says it; a repeat with the same `feedback_id` is the same feedback.
        """
        return self._say(id, Verdict.CONFIRMED, feedback_id=feedback_id, reporter=reporter, age_ms=age_ms)

    @_never_raising
    def reject(
        self,
        id: str | UUID | None,  # noqa: A002  # named as on the wire
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
        id: str | UUID | None,  # noqa: A002  # named as on the wire
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
        id: str | UUID | None,  # noqa: A002
        *,
        reporter: str | None = None,
        scope: str = tokens.FEEDBACK,
        lifetime: timedelta = timedelta(days=14),
    ) -> str | None:
        """Mint, offline, what lets one user's browser or phone speak of this one sample; None without a key."""
        if not self._api_key or id is None:
            return None
        if not isinstance(lifetime, timedelta):
            raise ValidationError("lifetime", f"lifetime must be a timedelta, got {type(lifetime).__name__}")
        return tokens.mint(
            self._api_key,
            sample_id=arguments.uuid(id),
            reporter=reporter,
            scope=scope,
            expires_at=int(time.time() + lifetime.total_seconds()),
        )

    @_never_raising
    def status(self, id: str | UUID | None) -> SampleStatus | None:  # noqa: A002  # named as on the wire
        """Return what is known here of a sample's state, at once; None: nothing yet.

        The first call makes the client ask the server in the background, now and every `status_poll_seconds`. Needs a
        key with scope `read`.
        """
        return None if self._sender is None or id is None else self._sender.statuses.get(arguments.uuid(id))

    def resolved(self, since: datetime | None = None) -> list[SampleStatus]:
        """Return the samples that came to an end (annotated, or archived) after `since`, the earliest first.

        It answers at once from what this client has heard: of what changed since its first call to `resolved` or
        `status`, or since the first call's `since`. `outcome` says who was right.
        """
        return self._resolved(since) or []

    def pause(self) -> None:
        """Send nothing until `resume`; captures go on, to disk. For links that cost money."""
        if self._sender is not None:
            self._sender.pause()

    def resume(self) -> None:
        """Send again."""
        if self._sender is not None:
            self._sender.resume()

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
        return replace(self._sender.stats(), left_out=self._left_out)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @_never_raising
    def _open(self, url: str, spool_dir: str | os.PathLike[str] | None) -> None:
        if is_switched_on("LOOKSWRONG_DISABLED"):
            warn("LOOKSWRONG_DISABLED is set: nothing is captured")
            return
        if not (url and self._api_key) and not opening.needs_no_server(self._options):
            warn("LOOKSWRONG_URL and LOOKSWRONG_API_KEY must be set to capture; nothing is")
            return
        check(self._options)
        self._sampling = Sampling(self._options["sample_rate"]) if self._options.get("sample_rate", 1.0) < 1.0 else None
        per_second = self._options.get("max_frames_per_second")
        self._frames = FrameLimit(per_second) if per_second is not None else None
        self._is_thinning = self._sampling is not None or self._frames is not None
        self._sender = opening.open_sender(
            url, self._api_key, spool_dir=spool_dir, options=self._options, drops=self._drops
        )
        # A client that is dropped without close must not leave its threads; what it spooled, the next one adopts.
        weakref.finalize(self, self._sender.stop, 0.0).atexit = False

    def _thinned(self, sample_id: bytes, stream: str | None) -> tuple[int, float] | None:
        """Return how many frames a capture stands for, and with what chance it was kept; None: it is left out."""
        frames, rate = 1, 1.0
        if self._frames is not None and stream is not None:
            frames = self._frames.take(stream, time.monotonic())
        if self._sampling is not None and frames > 0:
            rate = self._sampling.rate if self._sampling.keeps(sample_id) else 0.0
        if frames > 0 and rate > 0.0:
            return frames, rate
        self._left_out += 1
        return None

    def _read_image(self, image: pixels.Image | None, channel_order: str) -> pixels.Picture | None:
        if image is not None:
            return pixels.read(image, channel_order=channel_order)
        if not self._has_told_of_none:  # what OpenCV gives for a file that is not there
            self._has_told_of_none = True
            warn("image is None, so the sample goes without one; if that is meant, leave the argument out")
        return None

    def _read_prediction(self, value: object, model_version: str | None, picture: pixels.Picture | None) -> Prediction:
        return arguments.prediction(
            value,
            model_version=model_version or self._options.get("model_version"),
            labels=self._options.get("labels"),
            task=self._options.get("task"),
            image_size=None if picture is None else picture.size,
        )

    def _say(
        self,
        sample_id: str | UUID | None,
        verdict: Verdict,
        *,
        feedback_id: str | UUID | None,
        reporter: str | None,
        age_ms: int,
        comment: str | None = None,
        correction: Correction | None = None,
    ) -> str | None:
        if self._sender is None or sample_id is None:
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
        self._accept(Kind.FEEDBACK, feedback.sample_id.bytes, canonical_json(feedback))
        return str(feedback.id)

    def _accept_image(self, sample_id: bytes, text: bytes, picture: pixels.Picture) -> None:
        if picture.shape is None:
            self._accept(Kind.SAMPLE, sample_id, text, payload=picture.payload)
        else:
            shaped = b'{"sample":%b,"shape":%b}' % (text, canonical_json(picture.shape))
            self._accept(Kind.PIXELS, sample_id, shaped, payload=picture.payload)

    def _accept(self, kind: Kind, sample_id: bytes, text: bytes, *, payload: bytes | memoryview = b"") -> None:
        if self._is_closed:
            raise ClosedError("the client must be open, got a call after close")
        assert self._sender is not None
        self._sender.accept(kind, sample_id, text, payload=payload)

    @_never_raising
    def _resolved(self, since: datetime | None) -> list[SampleStatus]:
        if since is not None:
            check_time("since", since)
        known = [] if self._sender is None else self._sender.statuses.since(since)
        return [status for status in known if status.is_final]

    @_never_raising
    def _flush(self, timeout: float) -> bool:
        return self._sender is None or self._sender.flush(timeout)

    @_never_raising
    def _close(self, timeout: float) -> None:
        self._is_closed = True
        if self._sender is not None:
            self._sender.stop(timeout)
            self._sender.join(timeout)
