"""Write samples' metrics: when they come or change, and, by a job, those of old ones."""

import fcntl
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import ColumnElement, Engine, Executable, delete, func, or_, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from feedback_sdk import types
from queue_server import models
from queue_server.core.annotation import Annotation
from queue_server.core.metrics import METRICS, VERSION, Of, annotation_values, prediction_values, random_value
from queue_server.store import annotations, candidates, projects, samples

Sample, Image, Row, Custom = models.Sample, models.Image, models.SampleMetric, models.CustomMetric

_Names = tuple[str, ...]

#: an advisory lock: who measures old samples
_TURN = 7_305_514
#: of pictures that look the same so many are looked at: there may be a hundred thousand black ones
_MOST_ALIKE = 200
_NAMES = tuple(metric.name for metric in METRICS.values() if not metric.is_relative)
_OF_ANNOTATIONS_BESIDE_OTHERS = tuple(
    metric.name for metric in METRICS.values() if metric.is_relative and metric.of is Of.ANNOTATION
)
_IMAGE_NAMES = tuple(name for name in _NAMES if METRICS[name].of is Of.IMAGE)


def keep_arrived(session: Session, sample: models.Sample, prediction: types.Prediction | None) -> None:
    """Record the metrics of a sample that comes with what is there of it: nobody has annotated it yet."""
    _keep(session, sample, prediction, None)


def keep_changed(session: Session, sample: models.Sample) -> None:
    """Record the metrics of a sample anew: its image came, another prediction, an annotation.

    What metrics of the user's own said of it is forgotten: the worker asks them again.
    """
    assert sample.id is not None
    prediction, annotation = said_of(session, sample)
    _keep(session, sample, prediction, annotation)
    session.connection().execute(delete(Custom).where(col(Custom.sample_pk) == sample.id))


def keep_old(session: Session, rows: Sequence[models.Sample]) -> None:
    """Record the metrics of samples that came before them, or by older definitions."""
    found = [_row_of(session, sample, *said_of(session, sample)) for sample in rows]
    by_columns: dict[_Names, list[Mapping[str, object]]] = {}
    for row in found:
        by_columns.setdefault(tuple(row), []).append(row)
    for same in by_columns.values():
        _upsert(session, Row, same, key=("sample_pk",))


def said_of(session: Session, sample: models.Sample) -> tuple[types.Prediction | None, Annotation | None]:
    """Return the prediction that was shown of a sample, and the annotation that counts."""
    assert sample.id is not None
    task = types.Task(projects.get(session, sample.project_id).task)
    chosen = annotations.chosen(session, sample.id, task=task)
    prediction = candidates.read_prediction(samples.shown_prediction(session, sample.id))
    return prediction, chosen.annotation if chosen is not None else None


def _keep(
    session: Session, sample: models.Sample, prediction: types.Prediction | None, annotation: Annotation | None
) -> None:
    _upsert(session, Row, [_row_of(session, sample, prediction, annotation)], key=("sample_pk",))


def _row_of(
    session: Session, sample: models.Sample, prediction: types.Prediction | None, annotation: Annotation | None
) -> dict[str, object]:
    """Return a sample's metrics as they are kept: all but those that hang on other samples."""
    image = session.get(Image, sample.image_sha256) if sample.image_sha256 else None
    size = (image.width, image.height) if image is not None else None
    found: dict[str, float] = {"random": random_value(sample.sample_id)}
    if image is not None:
        found |= {name: value for name, value in (image.quality or {}).items() if name in _IMAGE_NAMES}
        found |= _duplicates(session, sample, image)
    found |= prediction_values(prediction, size=size)
    found |= annotation_values(annotation, size=size or (prediction.image_size if prediction else None))
    return {
        "sample_pk": sample.id,
        "project_id": sample.project_id,
        # An image of before these definitions is measured by the job; the sample with it.
        "measured": VERSION if image is None else image.measured,
        "custom_set": 0,
        **{name: found.get(name) for name in _NAMES},
        # What was said of an annotation that no longer counts goes with it.
        **({} if annotation is not None else dict.fromkeys(_OF_ANNOTATIONS_BESIDE_OTHERS)),
    }


def _upsert(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, object]], *, key: _Names) -> None:
    """Insert rows of the same columns, or overwrite those columns where the key is there."""
    statement = _upsert_statement(session.get_bind().dialect.name, table, tuple(rows[0]), key)
    session.connection().execute(statement, [dict(row) for row in rows])


@functools.cache
def _upsert_statement(dialect: str, table: type[SQLModel], names: _Names, key: _Names) -> Executable:
    """Make the statement once: with so many columns that takes longer than to run it."""
    insert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    changed = {name: insert.excluded[name] for name in names if name not in key}
    return insert.on_conflict_do_update(index_elements=list(key), set_=changed)


def _duplicates(session: Session, sample: models.Sample, image: models.Image) -> dict[str, float]:
    """Tell whether an earlier sample of the project shows the same bytes, or looks the same."""
    found = {"exact_duplicate": float(_is_shown_earlier(session, sample, [image.sha256]))}
    if image.perceptual_hash is not None:
        query = select(Image.sha256).where(Image.perceptual_hash == image.perceptual_hash, Image.sha256 != image.sha256)
        alike = session.exec(query.limit(_MOST_ALIKE)).all()
        found["near_duplicate"] = float(_is_shown_earlier(session, sample, alike))
    return found


def _is_shown_earlier(session: Session, sample: models.Sample, names: Sequence[str]) -> bool:
    """Tell whether an earlier sample of the project shows one of these images."""
    if not names:
        return False
    query = select(Sample.id).where(
        col(Sample.image_sha256).in_(names),
        col(Sample.id) < sample.id,
        # By the images' index: SQLite would read all samples of the project.
        col(Sample.project_id) + 0 == sample.project_id,
    )
    return session.exec(query.limit(1)).first() is not None


def keep_measured(
    session: Session, sha256: str, *, quality: Mapping[str, float] | None, perceptual_hash: int | None
) -> None:
    """Overwrite the metrics of a stored image that an older program measured, or none."""
    session.connection().execute(
        update(Image)
        .where(col(Image.sha256) == sha256)
        .values(quality=quality, perceptual_hash=perceptual_hash, measured=VERSION)
    )


def unmeasured(session: Session, project_id: int, *, after_pk: int, limit: int) -> list[int]:
    """Return row ids of samples behind that row whose metrics are missing, or by older definitions, in their order."""
    query = (
        select(Sample.id)
        .outerjoin(Row, (col(Row.sample_pk) == Sample.id) & (col(Row.sample_pk) > after_pk))
        # In the order of the rows: by its index all samples of the project would be read, and sorted, for each page.
        .where(col(Sample.project_id) + 0 == project_id, col(Sample.id) > after_pk, _is_old())
    )
    found = session.exec(query.order_by(col(Sample.id)).limit(limit))
    return [pk for pk in found if pk is not None]


def still_unmeasured(session: Session, pks: Sequence[int]) -> list[models.Sample]:
    """Return those of the samples that nobody has measured meanwhile."""
    query = select(Sample).outerjoin(Row, col(Row.sample_pk) == Sample.id).where(col(Sample.id).in_(pks), _is_old())
    return list(session.exec(query.order_by(col(Sample.id))))


def count_unmeasured(session: Session, project_id: int) -> int:
    """Return how many samples of a project are to be measured."""
    query = select(func.count()).select_from(Sample).outerjoin(Row, col(Row.sample_pk) == Sample.id)
    return session.exec(query.where(Sample.project_id == project_id, _is_old())).one()


def _is_old() -> ColumnElement[bool]:
    return or_(col(Row.sample_pk).is_(None), col(Row.measured) < VERSION)


def due_custom(session: Session, project_id: int, custom_set: int, *, limit: int) -> list[models.Sample]:
    """Return samples that were not looked at by this set of custom metrics; each end of the index by itself."""
    found: list[models.Sample] = []
    for is_other in (col(Row.custom_set) < custom_set, col(Row.custom_set) > custom_set):
        query = select(Sample).join(Row, col(Row.sample_pk) == Sample.id)
        query = query.where(Row.project_id == project_id, is_other).limit(limit - len(found))
        found += session.exec(query)
    return found


def count_due_custom(session: Session, project_id: int, custom_set: int) -> int:
    """Return how many samples this set of custom metrics has not looked at."""
    query = select(func.count()).select_from(Row)
    return session.exec(query.where(Row.project_id == project_id, Row.custom_set != custom_set)).one()


def known_custom(session: Session, sample_pk: int) -> set[str]:
    """Return the names of the custom metrics that looked at a sample."""
    return set(session.exec(select(Custom.name).where(Custom.sample_pk == sample_pk)))


def keep_custom(
    session: Session, sample: models.Sample, values: Mapping[str, float | None], *, seen: int, custom_set: int
) -> None:
    """Record what custom metrics said of a sample; nothing if it changed since its `custom_set` was seen."""
    assert sample.id is not None
    changed = session.connection().execute(
        update(Row).where(col(Row.sample_pk) == sample.id, col(Row.custom_set) == seen).values(custom_set=custom_set)
    )
    if changed.rowcount == 1 and values:
        rows = [
            {"sample_pk": sample.id, "name": name, "project_id": sample.project_id, "value": value}
            for name, value in values.items()
        ]
        _upsert(session, Custom, rows, key=("sample_pk", "name"))


def custom_sets(session: Session, sample_pks: Sequence[int]) -> dict[int, int]:
    """Return the set of custom metrics that looked last at each of these samples."""
    query = select(Row.sample_pk, Row.custom_set).where(col(Row.sample_pk).in_(sample_pks))
    return dict(session.exec(query).all())


def forget_custom(session: Session, project_id: int, name: str, *, is_failed_only: bool) -> int:
    """Delete a custom metric's values, or only where it raised, so that it is asked again; return how many."""
    is_gone = (col(Custom.project_id) == project_id) & (col(Custom.name) == name)
    if is_failed_only:
        is_gone &= col(Custom.value).is_(None)
    gone = select(Custom.sample_pk).where(is_gone)
    session.connection().execute(update(Row).where(col(Row.sample_pk).in_(gone)).values(custom_set=0))
    return session.connection().execute(delete(Custom).where(is_gone)).rowcount


def keep_relative(session: Session, values: Mapping[int, Mapping[str, float]]) -> None:
    """Overwrite metrics that hang on other samples: by row id of the sample, then by name."""
    for sample_pk, found in values.items():
        session.connection().execute(update(Row).where(col(Row.sample_pk) == sample_pk).values(**found))


@contextmanager
def turn(engine: Engine) -> Iterator[None]:
    """Let one process at a time measure a batch: none is measured twice. Whoever dies lets go."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _TURN})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _TURN})
        return
    with Path(f"{engine.url.database}.measuring").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
