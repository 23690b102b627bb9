"""Look whether it is time to train the next model, and if so prepare its data set and say it, once a training."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import UUID

import structlog
from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.alerts import FigureNow, for_many_looks
from queue_server.core.datasets import parse_include
from queue_server.core.estimate import post_stratified
from queue_server.core.model_quality import strata
from queue_server.core.retraining import (
    Advice,
    Learned,
    Prepared,
    RetrainingRule,
    advise,
    parse_retraining,
    retraining_message,
)
from queue_server.errors import ExportError
from queue_server.export import prepare
from queue_server.reports import Narrowed, drift_report
from queue_server.reports.quality import quality_report
from queue_server.store import condensed, exports, notifications, quality, retraining, watched
from queue_server.store.engine import reading, writing
from queue_server.store.retraining import Training

_log = structlog.get_logger()

#: how often it is looked: labels come by the hour, and the accuracy costs a month of samples
_PAUSE = timedelta(hours=1)
#: of how much of a version's time its accuracy is taken, at first and now
_LONGEST_STRETCH = timedelta(days=30)
_SHORTEST_STRETCH = timedelta(days=1)
_UNKNOWN = FigureNow(value=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainingStatus:
    """Whether it is time to train, since what that is counted, and the signal that was given since."""

    rule: RetrainingRule
    training: Training | None
    learned: Learned
    advice: Advice
    signal: models.RetrainingSignal | None


def rule_of(project: models.Project) -> RetrainingRule | None:
    """Return what the project's file says of retraining; None: nothing."""
    document = project.retraining or {}
    return parse_retraining(project.retraining, channels=document.get("channels", ()))


def retraining_status(session: Session, project: models.Project, *, now: datetime) -> RetrainingStatus | None:
    """Look whether it is time to train; None: the project's file says nothing of it."""
    rule = rule_of(project)
    if rule is None:
        return None
    assert project.id is not None
    training = retraining.last_training(session, project.id)
    learned = _learned(session, project, rule, training, now)
    return RetrainingStatus(
        rule=rule,
        training=training,
        learned=learned,
        advice=advise(rule, learned, now=now),
        signal=retraining.find(session, project.id, retraining.baseline_of(training)),
    )


def _learned(
    session: Session, project: models.Project, rule: RetrainingRule, training: Training | None, now: datetime
) -> Learned:
    """Return what came since the training; what no threshold asks for is not read."""
    assert project.id is not None
    trained_at = training.exported_at if training is not None else None
    annotated = watched.annotated_since(session, project.id, trained_at, task=Task(project.task))
    then, at_present = _accuracies(session, project, now) if rule.quality_drop is not None else (_UNKNOWN, _UNKNOWN)
    return Learned(
        trained_at=trained_at,
        new_labels=annotated.labels,
        new_errors=annotated.errors,
        accuracy=at_present,
        accuracy_at_first=then,
        drifted=_drifted(session, project.id, now) if rule.drifted_features is not None else None,
    )


def _accuracies(session: Session, project: models.Project, now: datetime) -> tuple[FigureNow, FigureNow]:
    """Return the accuracy of the version in production when it was new, and now: of stretches of equal length."""
    assert project.id is not None
    version = watched.latest_version(session, project.id)
    first = watched.first_received(session, project.id, version) if version is not None else None
    if first is None:
        return _UNKNOWN, _UNKNOWN
    stretch = min(_LONGEST_STRETCH, (now - first) / 2)
    if stretch < _SHORTEST_STRETCH:
        return _UNKNOWN, _UNKNOWN
    wanted = quality.Matured(project_id=project.id, task=Task(project.task), now=now, model_version=version)
    then = _accuracy(session, wanted, since=first, until=first + stretch)
    at_present = _accuracy(session, wanted, since=now - stretch, until=now)
    return then, for_many_looks(at_present, over_seconds=stretch.total_seconds(), bounds=(0.0, 1.0))


def _accuracy(session: Session, wanted: quality.Matured, *, since: datetime, until: datetime) -> FigureNow:
    observed = condensed.by_version(session, replace(wanted, since=since, until=until))
    cells = [stratum.cell for stratum in strata(observed.get(wanted.model_version or "", []))]
    share = post_stratified(cells)
    return FigureNow(value=share.value, low=share.low, high=share.high, n=share.annotated, since=since)


def _drifted(session: Session, project_id: int, now: datetime) -> tuple[str, ...] | None:
    report = drift_report(session, Narrowed(), project_id=project_id, now=now)
    if report.current is None:
        return None
    return tuple(feature.name for feature in report.features if feature.is_drifted)


def look_for_retraining(backend: Backend, project: models.Project, *, now: datetime) -> bool:
    """Give the signal if it is time; safe to run twice and to die anywhere.

    1. Take the look up, once an hour among all workers. 2. Read what came; nothing more is done where a signal was
    given since the last training. 3. Prepare the data set, whose splits freeze. 4. In one transaction: keep the signal,
    which a training has once, and what is to be said.
    """
    rule = rule_of(project)
    if rule is None or not _take_up(backend, project, now):
        return False
    with reading(backend.engine) as session:
        status = retraining_status(session, project, now=now)
        if status is None or not status.advice.is_time:
            return False
        compared = quality_report(session, Narrowed(), project_id=_pk(project), now=now).comparison
    prepared = _prepare(backend, project, rule, now)
    sentence = compared.sentence if compared is not None else None
    return _give(backend, project, status, prepared, sentence, now)


def _take_up(backend: Backend, project: models.Project, now: datetime) -> bool:
    with writing(backend.engine) as session:
        if not retraining.claim(session, _pk(project), now=now, pause=_PAUSE):
            return False
        training = retraining.last_training(session, _pk(project))
        return retraining.find(session, _pk(project), retraining.baseline_of(training)) is None


def _prepare(backend: Backend, project: models.Project, rule: RetrainingRule, now: datetime) -> Prepared | None:
    """Prepare the data set; None: it cannot be made in that format, which the log says."""
    include = parse_include(",".join(rule.include))
    try:
        made = prepare(backend, _pk(project), format_name=rule.format, include=include, now=now)
    except ExportError as error:
        _log.warning("no data set", action="retraining", project=project.name, error=str(error)[:500])
        return None
    with reading(backend.engine) as session:
        kept = exports.find(session, _pk(project), made.export_id)
    assert kept is not None
    query = f"?include={quote(','.join(rule.include))}" if rule.include else ""
    url = f"{backend.settings.public_url.rstrip('/')}/v1/exports/{rule.format}{query}"
    return Prepared(export_id=str(made.export_id), url=url, manifest=kept.manifest)


def _give(
    backend: Backend,
    project: models.Project,
    status: RetrainingStatus,
    prepared: Prepared | None,
    compared: str | None,
    now: datetime,
) -> bool:
    link = f"{backend.settings.public_url.rstrip('/')}/"
    said = retraining_message(project.name, status.advice, prepared=prepared, compared=compared, link=link, at=now)
    fresh = models.RetrainingSignal(
        project_id=_pk(project),
        baseline=retraining.baseline_of(status.training),
        at=now,
        reasons=[asdict(reason) for reason in status.advice.reasons if reason.is_reached],
        export_id=UUID(prepared.export_id) if prepared is not None else None,
        message={"title": said.title, "lines": list(said.lines)},
    )
    with writing(backend.engine) as session:
        signal = retraining.give(session, fresh)
        if signal is None:
            return False
        occasion = f"retraining-{signal.id}"
        channels = status.rule.channels
        notifications.put(session, _pk(project), said, occasion=occasion, channels=channels, now=now)
    _log.info("time to train", action="retraining", project=project.name, signal=signal.id)
    return True


def _pk(project: models.Project) -> int:
    assert project.id is not None
    return project.id
