"""Stored samples as estimates look at them: as they stood at their windows' end, in bulk, page by page."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlmodel import Session, col

from feedback_sdk import types
from feedback_sdk.errors import ValidationError
from queue_server import models
from queue_server.core import datasets, geometry, policy
from queue_server.core.model_quality import Draw, Judged, Observation, judge
from queue_server.core.policy import ArchiveReason, State, Trigger
from queue_server.core.policy.conditions import Condition
from queue_server.store import annotations, feedback, filters
from queue_server.store.truths import WITHOUT_REGIONS, live, truths

Sample, Task, Decision = models.Sample, models.LabelingTask, models.Decision

_PAGE = 2000
_PREDICTION = TypeAdapter(types.Prediction)
R = TypeVar("R", models.Annotation, models.Feedback)
#: decided at the window's end or for a budget's period that ended after it: it looks at nothing that came later
_IN_TIME = (Trigger.WINDOW_END, Trigger.PERIOD_END)


@dataclass(frozen=True, kw_only=True, slots=True)
class Matured:
    """Which samples to look at: of those whose window has ended and on which nothing is to be decided any more."""

    project_id: int
    task: types.Task
    now: datetime
    #: captured from then on, and before then
    since: datetime | None = None
    until: datetime | None = None
    model_version: str | None = None
    #: a slice's condition
    where: Condition | None = None


class _Row(NamedTuple):
    id: int
    sample_id: UUID
    model_version: str
    window_ends_at: datetime
    verdict: str | None
    confidence: float | None
    inclusion_probability: float
    capture_probability: float
    stands_for: int
    subject: str | None
    stream: str | None
    reason: str | None
    image_sha256: str | None
    duplicate_of: int | None
    labeling_task: int | None

    @property
    def is_touched(self) -> bool:
        """Tell whether an annotator may have come to see it."""
        return self.labeling_task is not None or self.duplicate_of is not None

    @property
    def looked_at(self) -> int:
        """Return the sample whose labeling task serves this one."""
        return self.duplicate_of or self.id


class _Frozen(NamedTuple):
    """What was decided by the window's end."""

    inclusion_probability: float
    rules: list[models.Document]


def observations(session: Session, wanted: Matured, *also: ColumnElement[bool]) -> Iterator[Observation]:
    """Yield the samples, of which that holds too, in the order of their arrival."""
    after = 0
    while True:
        rows = [_Row(*row) for row in session.connection().execute(_query(wanted, after).where(*also).limit(_PAGE))]
        yield from _observed(session, wanted, rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _query(wanted: Matured, after: int) -> Select[Any]:
    columns: list[Any] = [getattr(Sample, name) for name in _Row._fields if name != "labeling_task"]
    return (
        select(*columns, col(Task.id))
        .select_from(Sample)
        .outerjoin(Task, col(Task.sample_pk) == col(Sample.id))
        .where(*matured(wanted), col(Sample.id) > after)
        .order_by(col(Sample.id))
    )


def matured(wanted: Matured) -> list[ColumnElement[bool]]:
    """Return what holds of the samples that are looked at, in SQL over `models.Sample`."""
    return [
        *narrowed(wanted),
        col(Sample.model_version).is_not(None),
        col(Sample.window_ends_at) <= wanted.now,
        col(Sample.decide_after).is_(None),
        col(Sample.state) != State.HELD,
        # What was erased holds nothing to count.
        or_(col(Sample.reason).is_(None), col(Sample.reason) != ArchiveReason.ERASED),
    ]


def narrowed(wanted: Matured) -> list[ColumnElement[bool]]:
    """Return what holds of the samples that are asked for, whether or not their window has ended."""
    found = [col(Sample.project_id) == wanted.project_id]
    if wanted.since is not None:
        found.append(col(Sample.captured_at) >= wanted.since)
    if wanted.until is not None:
        found.append(col(Sample.captured_at) < wanted.until)
    if wanted.model_version is not None:
        found.append(col(Sample.model_version) == wanted.model_version)
    if wanted.where is not None:
        found.append(filters.matches(wanted.where))
    return found


def _observed(session: Session, wanted: Matured, rows: Sequence[_Row]) -> Iterator[Observation]:
    late = _late(session, [row.id for row in rows])
    frozen = _frozen(session, [row for row in rows if row.is_touched or row.id in late])
    verdicts = _verdicts_in_time(session, [row for row in rows if row.id in late and row.verdict is not None])
    shadows = _shadow_versions(session, [row.id for row in rows])
    judged = _judged(session, wanted.task, [row for row in rows if row.is_touched])
    images = _images(session, [row.duplicate_of for row in rows if row.duplicate_of is not None])
    for row in rows:
        decided = frozen.get(row.id)
        answers = judged.get(row.id, {})
        yield Observation(
            sample_id=str(row.sample_id),
            model_version=row.model_version,
            verdict=_verdict(row.verdict if row.id not in late else verdicts.get(row.id)),
            confidence=row.confidence,
            drawn=_drawn(decided, decided.inclusion_probability if decided else row.inclusion_probability),
            audit=_audit(decided),
            hangs_on_people=_hangs_on_people(row, decided) or _is_only_alike(row, images),
            capture_probability=row.capture_probability,
            stands_for=row.stands_for,
            subject=row.subject,
            stream=row.stream,
            judged=answers.get(row.model_version),
            shadows={version: answers.get(version) for version in shadows.get(row.id, ())},
        )


def _verdict(text: str | None) -> types.Verdict | None:
    return types.Verdict(text) if text is not None else None


def _hangs_on_people(row: _Row, decided: _Frozen | None) -> bool:
    """Tell whether somebody asked for a sample in time, or its task was taken back since nobody was quick enough."""
    return row.reason == ArchiveReason.WITHDRAWN or any(map(_is_asked_for, decided.rules if decided else ()))


def _is_asked_for(rule: models.Document) -> bool:
    """Tell whether a person's asking took the sample: that has no chance of its own."""
    return bool(rule.get("selected")) and rule.get("probability") is None


def _is_only_alike(row: _Row, images: dict[int, str | None]) -> bool:
    """Tell whether another picture's task serves this sample: its annotation says nothing of this one."""
    return row.duplicate_of is not None and images.get(row.duplicate_of) != row.image_sha256


def _drawn(decided: _Frozen | None, probability: float) -> Draw:
    rules = decided.rules if decided is not None else ()
    is_drawn = any(rule.get("selected") and not _is_asked_for(rule) for rule in rules)
    return Draw(probability=probability, is_drawn=is_drawn)


_NO_AUDIT = Draw(probability=0.0, is_drawn=False)


def _audit(decided: _Frozen | None) -> Draw:
    """Return the audit's part in what was decided; of a sample that nobody drew, it is not asked for."""
    if decided is None:
        return _NO_AUDIT
    audits = [rule for rule in decided.rules if rule.get("is_audit")]
    missed = 1.0
    for rule in audits:
        missed *= 1.0 - ((rule.get("probability") or 0.0) if rule.get("matched") else 0.0)
    return Draw(probability=1.0 - missed, is_drawn=any(rule.get("selected") for rule in audits))


def _late(session: Session, pks: Sequence[int]) -> set[int]:
    """Return the samples on which something was decided for what came after their windows' end."""
    query = select(col(Decision.sample_pk)).join(Sample, col(Sample.id) == col(Decision.sample_pk))
    return set(session.scalars(query.where(col(Decision.sample_pk).in_(pks), *_is_late()))) if pks else set()


def _is_late() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(Decision.decided_at) >= col(Sample.window_ends_at), col(Decision.trigger).not_in(_IN_TIME)


def is_passed_over() -> ColumnElement[bool]:
    """Tell in SQL of which samples nothing is to be known but how they came: nobody saw them, nothing came late."""
    late = select(col(Decision.id)).where(col(Decision.sample_pk) == col(Sample.id), *_is_late())
    task = select(col(Task.id)).where(col(Task.sample_pk) == col(Sample.id))
    # A shadow is of another version than the sample's own: that stands in the index.
    shadow = select(col(models.Prediction.id)).where(
        col(models.Prediction.sample_pk) == col(Sample.id),
        col(models.Prediction.model_version) != col(Sample.model_version),
    )
    return and_(
        col(Sample.duplicate_of).is_(None),
        col(Sample.reason).is_distinct_from(ArchiveReason.WITHDRAWN),
        *(~found.correlate(Sample).exists() for found in (task, late, shadow)),
    )


def _frozen(session: Session, rows: Sequence[_Row]) -> dict[int, _Frozen]:
    """Return what was last decided on each sample before anything came late."""
    ends = {row.id: row.window_ends_at for row in rows}
    query = (
        select(
            col(Decision.sample_pk),
            col(Decision.trigger),
            col(Decision.decided_at),
            col(Decision.inclusion_probability),
            col(Decision.rules),
        )
        .where(col(Decision.sample_pk).in_(list(ends)))
        .order_by(col(Decision.id))
    )
    found: dict[int, _Frozen] = {}
    closed: set[int] = set()
    for pk, trigger, decided_at, probability, rules in session.connection().execute(query) if ends else ():
        if decided_at >= ends[pk] and trigger not in _IN_TIME:
            closed.add(pk)
        if pk not in closed:
            found[pk] = _Frozen(probability, rules)
    return found


def _verdicts_in_time(session: Session, rows: Sequence[_Row]) -> dict[int, str | None]:
    """Return what users said of each sample before its window ended."""
    ends = {row.id: row.window_ends_at for row in rows}
    said = _said(session, list(ends))
    found: dict[int, str | None] = {}
    for pk, given in said.items():
        in_time = [one for one in given if one.received_at < ends[pk]]
        found[pk] = policy.opinion(feedback.verdicts_of(in_time)).verdict
    return found


def _said(session: Session, pks: Sequence[int]) -> dict[int, list[models.Feedback]]:
    found: dict[int, list[models.Feedback]] = {}
    query = select(models.Feedback).where(col(models.Feedback.sample_pk).in_(pks)).order_by(col(models.Feedback.id))
    for row in session.scalars(query) if pks else ():
        found.setdefault(row.sample_pk or 0, []).append(row)
    return found


def _shadow_versions(session: Session, pks: Sequence[int]) -> dict[int, list[str]]:
    query = select(col(models.Prediction.sample_pk), col(models.Prediction.model_version)).where(
        col(models.Prediction.sample_pk).in_(pks), col(models.Prediction.is_shown).is_(False)
    )
    found: dict[int, list[str]] = {}
    for pk, version in session.connection().execute(query) if pks else ():
        found.setdefault(pk, []).append(version)
    return found


def _images(session: Session, pks: Sequence[int]) -> dict[int, str | None]:
    query = select(col(Sample.id), col(Sample.image_sha256)).where(col(Sample.id).in_(pks))
    return {pk or 0: sha256 for pk, sha256 in session.connection().execute(query)} if pks else {}


def _judged(session: Session, task: types.Task, rows: Sequence[_Row]) -> dict[int, dict[str, Judged]]:
    """Return, for each sample with an annotation that counts, how every prediction on it stands against that."""
    counting = truths(session, task, {row.looked_at for row in rows})
    found: dict[int, dict[str, Judged]] = {}
    known = {row.id: row for row in rows if row.looked_at in counting}
    sizes = _sizes(session, list(known.values()))
    for prediction in _predictions(session, list(known)):
        row = known[prediction.sample_pk]
        truth = counting[row.looked_at]
        said = _placed(prediction, sizes.get(row.image_sha256 or ""))
        if said is not None:
            # An annotator changes what was shown, in the very sample that was looked at; the rest is compared.
            is_own = prediction.is_shown and row.duplicate_of is None and not truth.is_blind
            difference = truth.difference if is_own else None
            judged = judge(said, truth.annotation, task=task, difference=difference, is_blind=truth.is_blind)
            found.setdefault(row.id, {})[prediction.model_version] = judged
    return found


def _sizes(session: Session, rows: Sequence[_Row]) -> dict[str, tuple[int, int]]:
    hashes = sorted({row.image_sha256 for row in rows if row.image_sha256 is not None})
    query = select(col(models.Image.sha256), col(models.Image.width), col(models.Image.height))
    query = query.where(col(models.Image.sha256).in_(hashes))
    return {sha256: (width, height) for sha256, width, height in session.connection().execute(query)} if hashes else {}


def _predictions(session: Session, pks: Sequence[int]) -> list[models.Prediction]:
    query = select(models.Prediction).where(col(models.Prediction.sample_pk).in_(pks))
    return list(session.scalars(query)) if pks else []


def _placed(row: models.Prediction, size: tuple[int, int] | None) -> types.Prediction | None:
    """Return a prediction in the image's pixels; one that does not fit the image cannot be judged."""
    said = _PREDICTION.validate_python(row.document, strict=False)
    if size is None:
        return said
    try:
        return geometry.place_prediction(said, width=size[0], height=size[1])
    except ValidationError:
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Voices:
    """What several people said of the same samples, one list for each sample that two or more spoke of."""

    annotators: list[list[Hashable]]
    reporters: list[list[Hashable]]


def voices(session: Session, wanted: Matured) -> Voices:
    """Return what annotators and reporters said of samples that several looked at."""
    known = select(col(Sample.id)).where(*narrowed(wanted))
    rows: dict[int, list[models.Annotation]] = {}
    looked = _spoken_of(models.Annotation, known).options(WITHOUT_REGIONS)
    for row in session.scalars(looked.order_by(col(models.Annotation.updated_at), col(models.Annotation.id))):
        rows.setdefault(row.sample_pk, []).append(row)
    said: dict[int, list[models.Feedback]] = {}
    given = _spoken_of(models.Feedback, known)
    for one in session.scalars(given.order_by(col(models.Feedback.id))):
        said.setdefault(one.sample_pk or 0, []).append(one)
    return Voices(
        annotators=_spoken_twice([_annotators_words(found, wanted.task) for found in rows.values()]),
        reporters=_spoken_twice(
            [[one.verdict != types.Verdict.CONFIRMED for one in feedback.last_words(found)] for found in said.values()]
        ),
    )


def _spoken_of(row: type[R], known: Select[Any]) -> Select[R]:
    """Select what was said of those samples of which there is more than one word: few have a second."""
    several = select(col(row.sample_pk)).where(col(row.sample_pk).in_(known))
    return select(row).where(col(row.sample_pk).in_(several.group_by(col(row.sample_pk)).having(func.count() > 1)))


def _spoken_twice(units: Sequence[list[Hashable]]) -> list[list[Hashable]]:
    return [unit for unit in units if len(unit) > 1]


def _annotators_words(rows: Sequence[models.Annotation], task: types.Task) -> list[Hashable]:
    """Return each annotator's last word: the classes, else the number of objects."""
    finished = [one for one in annotations.candidates(live(rows)) if not one.is_skipped]
    words = [one.annotation for one in datasets.last_words(finished)]
    if task is types.Task.CLASSIFICATION:
        return [tuple(sorted(word.labels)) for word in words]
    return [word.object_count for word in words]
