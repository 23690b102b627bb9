"""Count what a played turn left on every side, and hold the figures against each other."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from queue_server.core.policy import State
from queue_server.demo.stage import Stage
from queue_server.export import PreparedExport
from queue_server.label_studio import LabelStudio
from queue_server.store import annotations, feedback, labeling_tasks, projects, samples, targets
from queue_server.store.engine import reading
from queue_server.store.labeling_tasks import TaskState


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What the simulated app and its users say that they sent."""

    samples: int
    #: by verdict, and `ignored`
    feedback: Mapping[str, int]
    sample_ids: tuple[UUID, ...]
    #: whether what is in the photos is known: the people of the demo guess otherwise
    has_truth: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What the server, Label Studio and the export hold of the played samples."""

    samples: int
    feedback: Mapping[str, int]
    by_state: Mapping[str, int]
    #: labeling tasks by the reason that ranked highest
    queued_by_reason: Mapping[str, int]
    #: tasks in Label Studio, and how many samples they are of
    label_studio_tasks: int
    label_studio_samples: int
    withdrawn: int
    annotations: int
    exported: int
    #: annotated, but kept out of the export for an unbiased test set
    held_out: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A played turn with all of its figures."""

    played: Played
    tally: Tally
    #: model version -> its count error on the holdout
    versions: Mapping[str, Mapping[str, float]]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def checks(self) -> dict[str, bool]:
        """Return what must be equal, and whether it is."""
        sent = {verdict: count for verdict, count in self.played.feedback.items() if count and verdict != "ignored"}
        queued = sum(self.tally.queued_by_reason.values())
        return {
            "every sample sent is stored once": self.played.samples == self.tally.samples,
            "every verdict given is stored once": sent == dict(self.tally.feedback),
            "every sample is where it belongs": sum(self.tally.by_state.values()) == self.tally.samples,
            "every queued sample is one task in Label Studio": (
                queued == self.tally.label_studio_tasks == self.tally.label_studio_samples
            ),
            "every task is annotated or withdrawn": (
                self.tally.label_studio_tasks == self.tally.annotations + self.tally.withdrawn
            ),
            "every annotated sample is in the export or held out": (
                self.tally.by_state.get(State.ANNOTATED, 0)
                == self.tally.annotations
                == self.tally.exported + self.tally.held_out
            ),
        }

    @property
    def agrees(self) -> bool:
        """Tell whether all figures agree with each other."""
        return all(self.checks.values())

    def as_json(self) -> dict[str, object]:
        """Return all figures in JSON's types."""
        return {
            "agree": self.agrees,
            "checks": self.checks,
            "samples": self.tally.samples,
            "feedback": dict(self.played.feedback),
            "by_state": dict(self.tally.by_state),
            "queued_by_reason": dict(self.tally.queued_by_reason),
            "label_studio_tasks": self.tally.label_studio_tasks,
            "withdrawn": self.tally.withdrawn,
            "annotations": self.tally.annotations,
            "exported": self.tally.exported,
            "held_out": self.tally.held_out,
            "versions": {name: dict(figures) for name, figures in self.versions.items()},
            "seconds": dict(self.seconds),
        }

    def as_table(self) -> str:
        """Return the figures for a person."""
        rows = [
            ("samples", str(self.tally.samples)),
            ("feedback", _listed(self.played.feedback)),
            ("states", _listed(self.tally.by_state)),
            ("queued by reason", _listed(self.tally.queued_by_reason)),
            ("tasks in Label Studio", f"{self.tally.label_studio_tasks} ({self.tally.withdrawn} withdrawn)"),
            ("annotations", str(self.tally.annotations)),
            ("rows exported", f"{self.tally.exported} ({self.tally.held_out} held out for an unbiased test set)"),
            *((f"count error of {name}", _error(figures)) for name, figures in self.versions.items()),
            ("seconds", f"{sum(self.seconds.values()):.0f}"),
        ]
        checks = [f"  {'ok' if holds else 'FAULT':6}{what}" for what, holds in self.checks.items()]
        return "\n".join([*(f"{name:24}{value}" for name, value in rows), *checks])


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _error(figures: Mapping[str, float]) -> str:
    return f"{figures['mae']:.2f} on average, exact on {figures['exact']:.0%} of {figures['photos']:.0f} photos"


def take_tally(stage: Stage, client: LabelStudio, played: Played, prepared: PreparedExport) -> Tally:
    """Count the played samples on every side; what earlier runs left is not counted."""
    assert stage.project.id is not None
    ids = set(played.sample_ids)
    with reading(stage.backend.engine) as session:
        rows = [row for sample_id in ids if (row := samples.find(session, stage.project.id, sample_id)) is not None]
        pks = [row.id for row in rows if row.id is not None]
        verdicts = Counter(item.verdict for pk in pks for item in feedback.of_sample(session, pk))
        tasks = [task for pk in pks if (task := labeling_tasks.of_sample(session, pk)) is not None]
        finished = sum(any(not item.is_skipped for item in annotations.live(session, pk)) for pk in pks)
        target = targets.main(session, projects.get(session, stage.project.id))
    place = target.label_studio_project_id if target is not None else None
    there = client.all_tasks(place, map(str, ids)) if place is not None else {}
    return Tally(
        samples=len(rows),
        feedback=dict(sorted(verdicts.items())),
        by_state=dict(sorted(Counter(row.state for row in rows).items())),
        queued_by_reason=dict(Counter(task.reasons[0] for task in tasks).most_common()),
        label_studio_tasks=sum(map(len, there.values())),
        label_studio_samples=len(there),
        withdrawn=sum(task.state == TaskState.WITHDRAWN for task in tasks),
        annotations=finished,
        exported=len(ids & prepared.sample_ids),
        held_out=len(ids & prepared.left_out.keys()),
    )
