"""Data sets leave as a streamed zip or into a folder; splits freeze and the manifest is kept before the first byte."""

import io
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlmodel import Session

from feedback_sdk.types import Task, Verdict
from feedback_sdk.wire import to_wire
from queue_server import models
from queue_server.backend import Backend
from queue_server.core import datasets, geometry
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import Entry, ImageRef, Item, LabelSource, Split
from queue_server.core.policy import ArchiveReason, State
from queue_server.errors import ExportError
from queue_server.store import annotations, decisions, exports, labeling_tasks, projects, samples
from queue_server.store.engine import writing

_EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
_WHO_LET_IT_STAND = {
    LabelSource.CONFIRMED: (ArchiveReason.CONFIRMED, ArchiveReason.WITHDRAWN),
    LabelSource.AFFIRMED: (ArchiveReason.AFFIRMED,),
}
#: Zip's first day: the same content gives the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedExport:
    """A data set whose splits are frozen and whose manifest is kept."""

    export_id: UUID
    sample_ids: frozenset[UUID]
    #: what was asked for but is in no split -> why
    left_out: Mapping[UUID, str]
    entries: Iterable[Entry]

    @property
    def items(self) -> int:
        """Return how many samples it holds."""
        return len(self.sample_ids)


def prepare(
    backend: Backend, project_id: int, *, format_name: str, include: frozenset[LabelSource], now: datetime
) -> PreparedExport:
    """Choose the items, freeze their splits and record the export, or raise ExportError; nothing is written yet."""
    with writing(backend.engine) as session:
        project = exports.lock_project(session, project_id)
        datasets.check_format(format_name, task=Task(project.task))
        frozen = {group: Split(split) for group, split in exports.frozen_splits(session, project_id).items()}
        data_set = datasets.build(
            _items(session, project_id, include),
            project=project.name,
            task=Task(project.task),
            labels=project.labels,
            include=include,
            frozen=frozen,
            salt=project.salt.hex(),
        )
        entries = list(datasets.render(data_set, format_name=format_name))
        exports.freeze_splits(session, project_id, data_set.frozen, now=now)
        manifest = datasets.manifest(data_set, format_name=format_name)
        row = exports.keep(
            session,
            models.Export(
                project_id=project_id,
                export_id=UUID(datasets.export_id(manifest)),
                format=format_name,
                manifest=json.loads(manifest),
                created_at=now,
            ),
        )
    return PreparedExport(
        export_id=row.export_id,
        sample_ids=frozenset(UUID(example.item.sample_id) for example in data_set.examples),
        left_out={UUID(sample_id): str(why) for sample_id, why in data_set.left_out.items()},
        entries=[*entries, _manifest_entry(row)],
    )


def _manifest_entry(row: models.Export) -> Entry:
    document = {"export_id": str(row.export_id), "created_at": to_wire(row.created_at), "manifest": row.manifest}
    return Entry(path="manifest.json", content=json.dumps(document, indent=1, ensure_ascii=False).encode())


def _items(session: Session, project_id: int, include: frozenset[LabelSource]) -> Iterator[Item]:
    reasons = [reason for source in include for reason in _WHO_LET_IT_STAND[source]]
    for sample in samples.exportable(session, project_id, reasons):
        item = _item(session, sample)
        if item is not None:
            yield item


def _item(session: Session, sample: models.Sample) -> Item | None:
    """Return a sample with its truth, or None where nobody vouches for one."""
    assert sample.image_sha256 is not None
    assert sample.id is not None
    image = session.get_one(models.Image, sample.image_sha256)
    truth = _truth(session, sample, image)
    if truth is None:
        return None
    task = labeling_tasks.of_sample(session, sample.id)
    reason = task.reasons[0] if sample.state == State.ANNOTATED and task and task.reasons else sample.reason or ""
    audit = _audit(session, sample.id)
    return Item(
        sample_id=str(sample.sample_id),
        image_sha256=image.sha256,
        image_extension=_EXTENSIONS[image.media_type],
        width=image.width,
        height=image.height,
        captured_at=sample.captured_at,
        model_version=sample.model_version,
        reason=reason,
        inclusion_probability=sample.inclusion_probability,
        capture_probability=sample.capture_probability,
        stands_for=sample.stands_for + sample.collapsed,
        label_source=truth.source,
        annotator=truth.annotator,
        subject=sample.subject,
        stream=sample.stream,
        is_audit=audit.is_drawn,
        audit_probability=audit.probability,
        tags=tuple(sample.tags),
        annotation=truth.annotation,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Truth:
    annotation: Annotation
    source: LabelSource
    annotator: str | None


def _truth(session: Session, sample: models.Sample, image: models.Image) -> _Truth | None:
    assert sample.id is not None
    if sample.state == State.ANNOTATED:
        task = Task(projects.get(session, sample.project_id).task)
        chosen = annotations.chosen(session, sample.id, task=task)
        if chosen is None:
            return None
        return _Truth(annotation=chosen.annotation, source=LabelSource.ANNOTATOR, annotator=chosen.annotator)
    prediction = decisions.read_prediction(samples.shown_prediction(session, sample.id))
    is_confirmed = sample.verdict == Verdict.CONFIRMED
    if prediction is None or (sample.reason == ArchiveReason.WITHDRAWN and not is_confirmed):
        return None
    placed = geometry.place_prediction(prediction, width=image.width, height=image.height)
    source = LabelSource.CONFIRMED if is_confirmed else LabelSource.AFFIRMED
    return _Truth(annotation=datasets.from_prediction(placed), source=source, annotator=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Audit:
    is_drawn: bool = False
    probability: float | None = None


def _audit(session: Session, sample_pk: int) -> _Audit:
    """Return whether a random rule drew the sample, and the chance that one of them does."""
    decision = decisions.latest(session, sample_pk)
    rules = [rule for rule in (decision.rules if decision else []) if rule["strategy"] == "random"]
    missed = 1.0
    for rule in rules:
        missed *= 1.0 - rule["probability"]
    if not rules or missed == 1.0:
        return _Audit()
    return _Audit(is_drawn=any(rule["selected"] for rule in rules), probability=1.0 - missed)


def zip_stream(backend: Backend, prepared: PreparedExport) -> Iterator[bytes]:
    """Yield a zip file piece by piece: never more than one image is in memory."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for entry in prepared.entries:
            is_image = isinstance(entry.content, ImageRef)
            file = zipfile.ZipInfo(entry.path, date_time=_ZIP_TIME)
            file.compress_type = zipfile.ZIP_STORED if is_image else zipfile.ZIP_DEFLATED
            file.external_attr = 0o644 << 16
            archive.writestr(file, _content(backend, entry))
            yield pipe.take()
    yield pipe.take()


class _Pipe(io.RawIOBase):
    """A file that can only be written, whose content is taken away as it comes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]  # zipfile writes bytes alone
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def write_folder(backend: Backend, prepared: PreparedExport, folder: Path) -> None:
    """Write an export into a folder, whole or not at all; an earlier export there is replaced."""
    check_folder(folder)
    fresh = folder.with_name(f".{folder.name}.{prepared.export_id}")
    shutil.rmtree(fresh, ignore_errors=True)
    for entry in prepared.entries:
        path = fresh / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(backend, entry))
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh.rename(folder)


def check_folder(folder: Path) -> None:
    """Raise ExportError for a folder that holds something else: ask before `prepare`, which freezes the splits."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "manifest.json").exists():
        raise ExportError(f"{folder} must be empty or hold an earlier export: give another folder")


def _content(backend: Backend, entry: Entry) -> bytes:
    return backend.blobs.get(entry.content.sha256) if isinstance(entry.content, ImageRef) else entry.content
