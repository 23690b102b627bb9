"""What comes back from Label Studio, as our own values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

Json = Mapping[str, object]

#: A sample's id, and which look at it is meant.
Look = tuple[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerStatus:
    """Who answers, and as whom we are known there."""

    version: str
    user: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskStatus:
    """One task, read afresh."""

    task_id: int
    project_id: int
    sample_id: str | None
    look: int
    data: Json
    #: finished and skipped ones; Label Studio keeps both as annotations
    annotation_count: int
    #: of anyone, not only of us
    has_draft: bool

    @property
    def is_untouched(self) -> bool:
        """Say whether nobody annotated, skipped or began it.

        A task that someone only looks at in the label stream is locked for them, which Label Studio's API does not
        tell; the first stroke makes a draft, which it does.
        """
        return self.annotation_count == 0 and not self.has_draft

    @classmethod
    def of(cls, task: Json) -> Self:
        """Read the JSON of a single task."""
        data = _mapping(task.get("data"))
        annotations = task.get("annotations")
        counts = (_whole(task.get("total_annotations")), _whole(task.get("cancelled_annotations")))
        return cls(
            task_id=_whole(task.get("id")),
            project_id=_whole(task.get("project")),
            sample_id=sample_id_of(data),
            look=look_of(data),
            data=data,
            annotation_count=max(len(annotations) if isinstance(annotations, list) else 0, sum(counts)),
            has_draft=bool(task.get("draft_exists")) or bool(task.get("drafts")),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RawAnnotation:
    """An annotation as Label Studio holds it; `result` is its JSON."""

    id: int
    #: the annotator's user id there
    annotator: str | None
    created_at: datetime
    updated_at: datetime
    lead_time_seconds: float | None
    #: True: the annotator skipped the task
    was_cancelled: bool
    ground_truth: bool
    parent_prediction: int | None
    result: tuple[Json, ...]

    @classmethod
    def of(cls, annotation: Json) -> Self:
        """Read the JSON of one annotation of a task list."""
        author = annotation.get("completed_by")
        lead_time = annotation.get("lead_time")
        result = annotation.get("result")
        parent = annotation.get("parent_prediction")
        return cls(
            id=_whole(annotation.get("id")),
            annotator=None if author is None else str(author.get("id") if isinstance(author, Mapping) else author),
            created_at=to_time(annotation.get("created_at")),
            updated_at=to_time(annotation.get("updated_at")),
            lead_time_seconds=float(lead_time) if isinstance(lead_time, int | float) else None,
            was_cancelled=bool(annotation.get("was_cancelled")),
            ground_truth=bool(annotation.get("ground_truth")),
            parent_prediction=parent if isinstance(parent, int) else None,
            result=tuple(_mapping(region) for region in result) if isinstance(result, list) else (),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedTask:
    """A task whose annotations changed, with all that it has now; none: they were deleted."""

    task_id: int
    sample_id: str | None
    look: int
    data: Json
    updated_at: datetime
    annotations: tuple[RawAnnotation, ...]

    @classmethod
    def of(cls, task: Json) -> Self:
        """Read the JSON of one task of a task list."""
        data = _mapping(task.get("data"))
        annotations = task.get("annotations")
        return cls(
            task_id=_whole(task.get("id")),
            sample_id=sample_id_of(data),
            look=look_of(data),
            data=data,
            updated_at=to_time(task.get("updated_at")),
            annotations=tuple(RawAnnotation.of(_mapping(each)) for each in annotations)
            if isinstance(annotations, list)
            else (),
        )


def sample_id_of(data: Json) -> str | None:
    """Return the sample that a task's data names; None for a task that is not ours."""
    sample_id = data.get("sample_id")
    return sample_id if isinstance(sample_id, str) else None


def look_of(data: Json) -> int:
    """Return which look at its sample a task is; one without that key is from before there were several."""
    return _whole(data.get("look")) or 1


def to_time(value: object) -> datetime:
    """Return an aware UTC time of what the SDK gives: a datetime, or ISO 8601 text."""
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
