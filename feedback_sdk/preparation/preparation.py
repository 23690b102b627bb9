"""From what was spooled to what is sent, on the sender's thread: pixels become a file, the app's wishes are applied.

For each sample: 1. what was made of it before is used again, as an id's bytes must never change; 2. a frame that looks
like those before it collapses into their first; 3. the image is encoded or made smaller; 4. `before_send` sees what is
about to go out and has the last word; 5. the result is kept on disk; 6. the first frame of a burst is held until the
burst has ended. To die anywhere is safe: nothing is done in the spool before what stands for it is kept.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from json import loads
from typing import TYPE_CHECKING, Any
from uuid import UUID

from feedback_sdk import pixels
from feedback_sdk.drops import Drop, DropReason, Drops, warn
from feedback_sdk.errors import SpoolError
from feedback_sdk.preparation.before_send import BeforeSend, ask_of_feedback, ask_of_sample
from feedback_sdk.spool import Spool
from feedback_sdk.spool.segment import Kind, Record
from feedback_sdk.wire import canonical_json

if TYPE_CHECKING:
    from feedback_sdk.preparation.bursts import Burst, Bursts, Collapse, Frame
    from feedback_sdk.preparation.photos import Reduced

#: Ids remembered to lead feedback after its sample; of older ones it goes out as it is.
_MAX_IDS = 10_000
#: How long a burst waits whose sum could not be kept on disk.
_RETRY_SECONDS = 5.0
_MAX_STANDS_FOR = 1_000_000
#: Of images that `due` hands out at once, give or take one.
_MAX_DUE_BYTES = 4 << 20
#: What was said is remembered, so it must not be said without end.
_MAX_TOPICS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A sample that can be sent: its canonical JSON without `image_sha256`, and its image file (empty: none)."""

    record: Record
    text: bytes
    image: bytes


class Preparation:
    """Applies a client's options to what it spooled. One thread calls it, the sender's."""

    def __init__(
        self,
        *,
        spool: Spool,
        drops: Drops,
        before_send: BeforeSend | None = None,
        max_image_side: int | None = None,
        collapse: "Collapse | None" = None,
    ) -> None:
        self._spool = spool
        self._drops = drops
        self._before_send = before_send
        self._has_photos = (max_image_side is not None or collapse is not None) and _load_photos()
        self._max_side = max_image_side if self._has_photos else None
        self._collapse = collapse if self._has_photos else None
        self._is_plain = before_send is None and not self._has_photos
        self._said: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """Begin anew in the child of a fork: what is held belongs to the parent."""
        #: frames that are not sent by themselves
        self.collapsed = 0
        self._bursts = _no_bursts(self._collapse)
        #: by sample: that which stands for it, None where it was dropped
        self._instead: OrderedDict[bytes, bytes | None] = OrderedDict()

    def take(self, record: Record) -> Ready | None:
        """Return a sample ready to be sent; None where it was dropped, or is held until its burst has ended.

        Raises PreparationError where it must not be sent, and SpoolError where the result cannot be kept on disk.
        """
        if self._is_plain and record.kind is Kind.SAMPLE:
            return Ready(record=record, text=record.text, image=record.payload)
        kept = self._spool.prepared(record)
        if kept is not None:
            return Ready(record=record, text=kept[0], image=kept[1])
        fields, shape = _read(record)
        frame = self._frame(record, fields, shape)
        if frame is not None and self._has_joined(frame):
            return None
        made = self._made(record, fields, shape)
        if made is None:
            self._drop(record)
            return None
        text, image = made
        self._spool.keep_prepared(record, text=text, image=image)
        if frame is None:
            return Ready(record=record, text=text, image=image)
        assert self._bursts is not None
        self._bursts.begin(frame, now=time.monotonic())
        return None

    def feedback(self, record: Record) -> bytes | None:
        """Return the JSON of a feedback to send; None where it was dropped. Raises PreparationError as `take` does.

        What was said of a frame that collapsed is said of the one that stands for it; of a dropped sample, of nothing.
        """
        text = record.text
        if record.sample_id in self._instead:
            stands = self._instead[record.sample_id]
            text = b"" if stands is None else _redirected(text, stands)
        if text and self._before_send is not None:
            text = ask_of_feedback(self._before_send, text) or b""
        if not text:
            self._drop(record)
        return text or None

    def due(self, *, everything: bool = False) -> list[Ready]:
        """Return the first frames of the bursts that have ended, or of all; what is left of many at once comes next."""
        ready: list[Ready] = []
        now = time.monotonic()
        if self._bursts is None:
            return ready
        for burst in self._bursts.take_ended(now=now, everything=everything):
            if sum(len(one.image) for one in ready) >= _MAX_DUE_BYTES:
                self._bursts.put_back(burst, until=now)
                continue
            try:
                ready += self._finished(burst)
            except SpoolError as error:
                self._say_once(f"the sum of a burst waits until the spool can keep it: {error}")
                self._bursts.put_back(burst, until=now + _RETRY_SECONDS)
        return ready

    def next_due(self) -> float | None:
        """Return when `due` will have something, on the monotonic clock; None: nothing is held."""
        return self._bursts.next_end() if self._bursts else None

    def _frame(self, record: Record, fields: Mapping[str, Any], shape: pixels.Shape | None) -> "Frame | None":
        """Return a sample as a frame of its stream; None where frames do not collapse, or this one cannot be seen."""
        stream = fields.get("stream")
        if self._bursts is None or stream is None or not record.payload:
            return None
        from feedback_sdk.preparation import bursts, photos

        try:
            looks = photos.difference_hash(record.payload, shape)
        except photos.PhotoError as error:
            self._say_once(f"{error}; such frames are not collapsed")
            return None
        return bursts.Frame(
            record=replace(record, text=b"", payload=b""),  # what is held must not hold the image
            stream=stream,
            looks=looks,
            captured_at=datetime.fromisoformat(fields["captured_at"]).timestamp(),
            stands_for=fields.get("stands_for", 1),
        )

    def _has_joined(self, frame: "Frame") -> bool:
        assert self._bursts is not None
        burst = self._bursts.join(frame)
        if burst is None:
            return False
        self.collapsed += 1
        self._remember(frame.record.sample_id, burst.first.record.sample_id)
        return True

    def _finished(self, burst: "Burst") -> list[Ready]:
        """Keep what a burst stands for, let go of its other frames, and return its first."""
        record = burst.first.record
        kept = self._spool.prepared(record)
        if kept is None:  # somebody emptied the folder: begin again
            self._spool.rewind([record, *burst.collapsed])
            return []
        text, image = kept
        if burst.collapsed:
            stands_for = min(burst.stands_for, _MAX_STANDS_FOR)
            text = canonical_json({**loads(text), "stands_for": stands_for})
            self._spool.keep_prepared(record, text=text, image=image)
        for other in burst.collapsed:
            self._spool.done(other)
        whole = replace(record, kind=Kind.SAMPLE, text=text, payload=image)
        return [Ready(record=whole, text=text, image=image)]

    def _made(
        self, record: Record, fields: Mapping[str, Any], shape: pixels.Shape | None
    ) -> tuple[bytes, bytes] | None:
        reduced = self._reduced(record, shape)
        if reduced is not None:
            image, fields = reduced.content, _with_image_size(fields, reduced.original_size)
        else:
            image = record.payload if shape is None else pixels.encode_png(record.payload, shape)
        text = canonical_json(fields)
        if self._before_send is None:
            return text, image
        return ask_of_sample(self._before_send, text, image=image)

    def _reduced(self, record: Record, shape: pixels.Shape | None) -> "Reduced | None":
        if self._max_side is None or not record.payload:
            return None
        from feedback_sdk.preparation import photos

        try:
            return photos.reduce(record.payload, shape, max_side=self._max_side)
        except photos.PhotoError as error:
            self._say_once(f"{error}; such images are sent as they are")
            return None

    def _drop(self, record: Record) -> None:
        dropped = str(UUID(bytes=record.sample_id))
        message = "before_send left a sample out"
        if record.kind is Kind.FEEDBACK:
            dropped, message = loads(record.text)["id"], "before_send left a feedback out, or the sample it speaks of"
        else:
            self._remember(record.sample_id, None)
        self._drops.tell(Drop(reason=DropReason.BEFORE_SEND, message=message, id=dropped))
        self._spool.done(record)

    def _remember(self, sample_id: bytes, stands: bytes | None) -> None:
        self._instead[sample_id] = stands
        if len(self._instead) > _MAX_IDS:
            self._instead.popitem(last=False)

    def _say_once(self, message: str) -> None:
        if message not in self._said and len(self._said) < _MAX_TOPICS:
            self._said.add(message)
            warn(message)


def _load_photos() -> bool:
    """Import Pillow now: an import that a fork interrupts would stay locked in the child."""
    from feedback_sdk.preparation import photos

    is_there = photos.load()
    if not is_there:
        warn("Pillow must be installed for max_image_side and collapse: the extra `[images]`; they are off")
    return is_there


def _no_bursts(collapse: "Collapse | None") -> "Bursts | None":
    if collapse is None:
        return None
    from feedback_sdk.preparation.bursts import Bursts

    return Bursts(collapse)


def _read(record: Record) -> tuple[Mapping[str, Any], pixels.Shape | None]:
    """Return the fields of a sample and, of raw pixels, their shape."""
    fields = loads(record.text)
    if record.kind is Kind.PIXELS:
        return fields["sample"], pixels.Shape(**fields["shape"])
    return fields, None


def _with_image_size(fields: Mapping[str, Any], size: tuple[int, int]) -> Mapping[str, Any]:
    """Return a sample whose coordinates stay in the pixels of the image as it was."""
    prediction = fields.get("prediction")
    if prediction is None or "image_size" in prediction:
        return fields
    return {**fields, "prediction": {**prediction, "image_size": size}}


def _redirected(text: bytes, sample_id: bytes) -> bytes:
    """Return a feedback as one on another sample; what it says of a box by number goes, for that has other boxes."""
    fields = {**loads(text), "sample_id": str(UUID(bytes=sample_id))}
    correction = dict(fields.pop("correction", None) or {})
    added = [change for change in correction.pop("boxes", ()) if change["action"] == "add"]
    if added:
        correction["boxes"] = added
    if correction.keys() - {"image_size"}:
        fields["correction"] = correction
    elif fields["verdict"] == "corrected":
        fields["verdict"] = "rejected"
    return canonical_json(fields)
