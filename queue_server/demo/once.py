"""Play one whole turn of the loop without a person, and hold its figures against each other."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from queue_server.core.model_card import Registered
from queue_server.core.policy import State
from queue_server.demo.show import first_model
from queue_server.demo.stage import Stage, open_places, open_stage, run_example, say
from queue_server.demo.tally import Outcome, Played, take_tally
from queue_server.errors import ProcessError
from queue_server.export import PreparedExport, prepare, write_folder
from queue_server.label_studio import LabelStudio
from queue_server.projects import open_label_studio
from queue_server.pull import pull_project
from queue_server.store import labeling_tasks, model_versions, projects, samples, targets
from queue_server.store.engine import reading, writing

_WINDOW = "8s"
_AUDIT_RATE = 0.1
_PATIENCE_SECONDS = 120.0
_HOLDOUT = 24


@dataclass(slots=True)
class _Clock:
    """Prints a line per stage and keeps how long each took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        say(f"[{len(self.seconds) + 1}/9] {name} …")
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)


def play_once(folder: Path, *, images: Path | None, samples: int) -> Outcome:
    """Play the turn: predictions, users, window, push, annotator, pull, export, retraining, comparison.

    Ids, times and draws are fixed, so a second run over the same state sends only "the same again".
    """
    clock = _Clock()
    with _started(clock, folder) as stage:
        client = open_label_studio(stage.backend)
        work = stage.places.folder / "once"
        work.mkdir(exist_ok=True)
        with clock.stage("version 1 of the model"):
            first = first_model(stage)
        with clock.stage(f"{samples} predictions and their users"):
            played = _simulate(stage, first, work / "played.json", images=images, samples=samples)
        with clock.stage("confirmation window and push"):
            _wait("every window to end and every task to be pushed", lambda: _is_pushed(stage, played))
        with clock.stage("annotator"):
            _annotate(stage, work / "played.json", work / "annotated.json")
        with clock.stage("pull"):
            _wait("every annotation to be pulled", lambda: _is_pulled(stage, client, played))
        with clock.stage("export"):
            prepared = _export(stage, work / "export")
        with clock.stage("version 2 of the model, trained on the export"):
            second = _retrain(stage, work / "export", prepared)
        with clock.stage("comparison on a holdout"):
            # Photos without labels cannot judge a model: drawn trays do then.
            judged_on = images if played.has_truth else None
            versions = _evaluate(stage, [first, second], work / "versions.json", images=judged_on)
        tally = take_tally(stage, client, played, prepared)
    return Outcome(played=played, tally=tally, versions=versions, seconds=clock.seconds)


@contextmanager
def _started(clock: _Clock, folder: Path) -> Iterator[Stage]:
    with clock.stage("Label Studio and server"):
        opened = open_stage(open_places(folder), confirmation_window=_WINDOW, audit_rate=_AUDIT_RATE)
        stage = opened.__enter__()
    try:
        yield stage
    finally:
        opened.__exit__(None, None, None)


def _simulate(stage: Stage, model: Path, result: Path, *, images: Path | None, samples: int) -> Played:
    chosen = ("--images", str(images.absolute())) if images is not None else ()
    run_example(
        stage.example(
            "simulate",
            *("--model", str(model), "--samples", str(samples), "--json", str(result)),
            *("--url", stage.places.server_url, "--api-key", stage.keys["app"]),
            *("--spool-dir", str(stage.places.spool), *chosen),
        )
    )
    document = json.loads(result.read_text(encoding="utf-8"))
    return Played(
        samples=document["samples"],
        feedback=document["feedback"],
        sample_ids=tuple(UUID(sample_id) for sample_id in document["truth"]),
        has_truth=any(document["truth"].values()),
    )


def _wait(what: str, is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise ProcessError(f"{what} must come to pass within {_PATIENCE_SECONDS:.0f} s: see the demo's server.log")
        time.sleep(0.3)


def _is_pushed(stage: Stage, played: Played) -> bool:
    """Tell whether every sample is there and nothing about it is due."""
    assert stage.project.id is not None
    with reading(stage.backend.engine) as session:
        for sample_id in played.sample_ids:
            sample = samples.find(session, stage.project.id, sample_id)
            if sample is None or sample.decide_after is not None:
                return False
            assert sample.id is not None
            task = labeling_tasks.of_sample(session, sample.id)
            if task is not None and (task.state == labeling_tasks.TaskState.WAITING or task.is_withdrawal_wanted):
                return False
    return True


def _annotate(stage: Stage, truth: Path, result: Path) -> None:
    with reading(stage.backend.engine) as session:
        assert stage.project.id is not None
        target = targets.main(session, projects.get(session, stage.project.id))
    if target is None or target.label_studio_project_id is None:
        raise ProcessError("at least one sample must have been pushed, none was: take more --samples")
    run_example(
        stage.example(
            "annotate",
            *("--label-studio-url", stage.label_studio.url, "--api-key", stage.label_studio.api_key),
            *("--project", str(target.label_studio_project_id), "--truth", str(truth), "--json", str(result)),
        )
    )


def _is_pulled(stage: Stage, client: LabelStudio, played: Played) -> bool:
    """Pull, and tell whether nothing that was pushed still waits for its annotation."""
    with reading(stage.backend.engine) as session:
        assert stage.project.id is not None
        project = projects.get(session, stage.project.id)
    pull_project(stage.backend, client, project)
    with reading(stage.backend.engine) as session:
        found = [samples.find(session, project.id or 0, sample_id) for sample_id in played.sample_ids]
    return all(sample is not None and sample.state != State.PUSHED for sample in found)


def _export(stage: Stage, folder: Path) -> PreparedExport:
    assert stage.project.id is not None
    prepared = prepare(stage.backend, stage.project.id, format_name="coco", include=frozenset(), now=datetime.now(UTC))
    write_folder(stage.backend, prepared, folder)
    return prepared


def _retrain(stage: Stage, export: Path, prepared: PreparedExport) -> Path:
    """Train version 2 on what annotators corrected, and register what it was trained on."""
    model = stage.places.models / "v2.joblib"
    run_example(stage.example("train", "--export", str(export), "--model-version", "v2", "--out", str(model)))
    with writing(stage.backend.engine) as session:
        assert stage.project.id is not None
        found = Registered(version="v2", trained_on=prepared.export_id)
        model_versions.register(session, stage.project.id, found, now=datetime.now(UTC))
    return model


def _evaluate(stage: Stage, models: list[Path], result: Path, *, images: Path | None) -> dict[str, dict[str, float]]:
    chosen = ("--images", str(images.absolute())) if images is not None else ()
    number = ("--photos", str(_HOLDOUT))
    run_example(stage.example("evaluate", *map(str, models), *number, *chosen, "--json", str(result)))
    document: dict[str, dict[str, float]] = json.loads(result.read_text(encoding="utf-8"))
    return document
