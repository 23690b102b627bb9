"""Measure old samples, and let metrics of the user's own look at all."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog
from sqlmodel import Session

from queue_server import models
from queue_server.backend import Backend
from queue_server.core.metrics.custom import Custom, set_number
from queue_server.core.metrics.definitions import VERSION, Of
from queue_server.errors import BlobError, ImageError
from queue_server.images import CheckedImage, check_image, pixels_of
from queue_server.metrics.asking import ask
from queue_server.plugins import custom_metrics
from queue_server.store import measuring, samples
from queue_server.store.engine import reading, writing

_log = structlog.get_logger()

#: samples of one transaction
_BATCH = 16
#: images that are decoded at once: each may take as much memory as it has pixels
_DECODERS = min(4, os.cpu_count() or 1)
#: row ids of so many are read ahead
_PAGE = 4096

Say = Callable[[int, int], None]


@dataclass(kw_only=True, slots=True)
class Computed:
    """What a run did."""

    #: samples whose built-in metrics were missing
    measured: int = 0
    #: images that could not be read
    unreadable: int = 0
    #: values of custom metrics, by name
    custom: dict[str, int] = field(default_factory=dict)
    #: how often a custom metric raised, by name, and what it said first
    failed: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def compute(backend: Backend, project_id: int, *, say: Say | None = None, deadline: float | None = None) -> Computed:
    """Measure what is not measured in a project; safe to run twice, at once, and to die anywhere.

    Batch by batch, one process at a time: 1. Read samples that lack metrics. 2. Decode their images, outside any
    transaction. 3. Write all of the batch in one. Then the same with custom metrics. `say` is told how many are done
    and how many there are; `deadline` is on the monotonic clock.
    """
    run = _Run(backend=backend, project_id=project_id, say=say, deadline=deadline)
    with reading(backend.engine) as session:
        run.total = measuring.count_unmeasured(session, project_id)
    run.measure_old()
    found = custom_metrics(backend.settings.custom_metrics)
    if found:
        run.ask_custom(found)
    if run.result != Computed():
        _log.info("measured", action="measure", project_id=project_id, samples=run.result.measured)
    return run.result


class _Run:
    """One run over one project."""

    def __init__(self, *, backend: Backend, project_id: int, say: Say | None, deadline: float | None) -> None:
        self.backend = backend
        self.project_id = project_id
        self.result = Computed()
        self.total = 0
        self._say = say
        self._deadline = deadline
        self._done = 0

    def measure_old(self) -> None:
        """Measure samples of before the metrics, or by older definitions, in the order in which they came."""
        with ThreadPoolExecutor(_DECODERS) as decoders:
            for pks in self._old_batches():
                if not self._has_time():
                    return
                with measuring.turn(self.backend.engine):
                    with reading(self.backend.engine) as session:
                        rows = measuring.still_unmeasured(session, pks)
                        images = _old_images(session, rows)
                    self._write(rows, images, dict(decoders.map(self._decoded, images)))
                self.result.measured += len(rows)
                self._tell(len(rows))

    def _old_batches(self) -> Iterator[Sequence[int]]:
        """Yield row ids of samples that were to be measured when a page of them was read."""
        after_pk = 0
        while True:
            with reading(self.backend.engine) as session:
                page = measuring.unmeasured(session, self.project_id, after_pk=after_pk, limit=_PAGE)
            if not page:
                return
            for start in range(0, len(page), _BATCH):
                yield page[start : start + _BATCH]
            after_pk = page[-1]

    def _decoded(self, image: models.Image) -> tuple[str, CheckedImage | None]:
        content = self._content(image.sha256)
        try:
            limit = self.backend.settings.max_image_pixels
            return image.sha256, check_image(content, max_pixels=limit) if content is not None else None
        except ImageError as error:
            _log.warning("image not measured", action="measure", image=image.sha256, error=str(error)[:300])
            return image.sha256, None

    def _content(self, sha256: str) -> bytes | None:
        """Return the bytes of an image, None if they are gone for good; BlobError while the store does not answer."""
        try:
            return self.backend.blobs.get(sha256)
        except BlobError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            _log.warning("image not measured", action="measure", image=sha256, error=str(error)[:300])
            return None

    def _write(
        self,
        rows: Sequence[models.Sample],
        images: Sequence[models.Image],
        found: Mapping[str, CheckedImage | None],
    ) -> None:
        """Write a batch; an image that cannot be read counts as measured, or it would be tried for ever."""
        self.result.unreadable += sum(checked is None for checked in found.values())
        with writing(self.backend.engine) as session:
            for image in images:
                checked = found[image.sha256]
                measuring.keep_measured(
                    session,
                    image.sha256,
                    quality=dict(checked.quality) if checked is not None else image.quality,
                    perceptual_hash=checked.perceptual_hash if checked is not None else image.perceptual_hash,
                )
            measuring.keep_old(session, [samples.lock(session, row.id) for row in rows if row.id is not None])

    def ask_custom(self, found: Mapping[str, Custom]) -> None:
        """Ask custom metrics of every sample that this set of them has not looked at."""
        number = set_number(found)
        with reading(self.backend.engine) as session:
            self.total += measuring.count_due_custom(session, self.project_id, number)
        while self._has_time():
            with measuring.turn(self.backend.engine):
                waiting = self._waiting(found, number)
                values = [dict(self._asked(one)) for one in waiting]
                with writing(self.backend.engine) as session:
                    for one, said in zip(waiting, values, strict=True):
                        measuring.keep_custom(session, one.sample, said, seen=one.seen, custom_set=number)
            if not waiting:
                return
            self._tell(len(waiting))

    def _waiting(self, found: Mapping[str, Custom], number: int) -> list["_Waiting"]:
        """Read the next samples, with what the metrics that have not looked at them take."""
        with reading(self.backend.engine) as session:
            rows = measuring.due_custom(session, self.project_id, number, limit=_BATCH)
            seen = measuring.custom_sets(session, [row.id or 0 for row in rows])
            return [_waiting(session, row, found, seen=seen[row.id or 0]) for row in rows]

    def _asked(self, one: "_Waiting") -> Iterator[tuple[str, float | None]]:
        """Yield what each metric says of a sample; None: it raised."""
        subjects = dict(one.subjects)
        if any(metric.of is Of.IMAGE for metric in one.wanted):
            subjects[Of.IMAGE] = self._pixels(one.sample)
        for metric in one.wanted:
            if subjects.get(metric.of) is None:
                continue
            value, error = ask(metric, subjects[metric.of])
            counts = self.result.custom if error is None else self.result.failed
            counts[metric.name] = counts.get(metric.name, 0) + 1
            if error is not None and metric.name not in self.result.errors:
                self.result.errors[metric.name] = error
                _log.warning("custom metric", action="measure", metric=metric.name, error=error)
            yield metric.name, value

    def _pixels(self, sample: models.Sample) -> object:
        content = self._content(sample.image_sha256) if sample.image_sha256 is not None else None
        try:
            return pixels_of(content) if content is not None else None
        except ImageError:
            return None

    def _has_time(self) -> bool:
        return self._deadline is None or time.monotonic() < self._deadline

    def _tell(self, count: int) -> None:
        self._done += count
        if self._say is not None:
            self._say(self._done, max(self.total, self._done))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    """A sample that custom metrics are to look at."""

    sample: models.Sample
    #: the set of metrics that looked at it last
    seen: int
    wanted: Sequence[Custom]
    subjects: Mapping[Of, object]


def _waiting(session: Session, row: models.Sample, found: Mapping[str, Custom], *, seen: int) -> _Waiting:
    assert row.id is not None
    known = measuring.known_custom(session, row.id)
    wanted = [metric for name, metric in found.items() if name not in known]
    subjects: dict[Of, object] = {}
    if any(metric.of is not Of.IMAGE for metric in wanted):
        subjects[Of.PREDICTION], subjects[Of.ANNOTATION] = measuring.said_of(session, row)
    return _Waiting(sample=row, seen=seen, wanted=wanted, subjects=subjects)


def _old_images(session: Session, rows: Sequence[models.Sample]) -> list[models.Image]:
    """Return the images of samples that no program of these definitions measured, each once."""
    names = {row.image_sha256 for row in rows if row.image_sha256 is not None}
    found = (session.get(models.Image, name) for name in sorted(names))
    return [image for image in found if image is not None and image.measured < VERSION]
