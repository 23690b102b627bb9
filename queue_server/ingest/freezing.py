"""Freeze the numbers that policies take from the traffic, once a day or an hour, so that decisions can be replayed."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlmodel import Session

from queue_server import models
from queue_server.backend import Backend
from queue_server.core.policy import Policy
from queue_server.core.policy.budget import Period
from queue_server.core.policy.facts import applies
from queue_server.core.policy.figures import (
    ENOUGH_SCORES,
    Traffic,
    audit_rates,
    label_shares,
    taken_thresholds,
    threshold_from,
    wants_label_shares,
)
from queue_server.core.policy.rules import Rule
from queue_server.store import figures, projects
from queue_server.store.candidates import bare_candidate, needs_figures
from queue_server.store.engine import reading, writing

_LATELY = timedelta(days=7)
_LEAD_TIMES = timedelta(days=30)
_SAMPLED = 2000
#: of fewer tasks no lead time is told
_ENOUGH_TIMES = 5

Row = models.FrozenFigure


def freeze_figures(backend: Backend, *, now: datetime) -> int:
    """Freeze what is due in every project; return how many figures.

    1. See what the day and the hour lack. 2. Read the traffic before them. 3. Keep each figure once: of two workers
    the first counts. Safe to run twice and to die anywhere.
    """
    with reading(backend.engine) as session:
        found = [row for project in projects.all_projects(session) for row in _missing(session, project, now)]
    for row in found:
        with writing(backend.engine) as session:
            figures.freeze(session, row)
    return len(found)


def _missing(session: Session, project: models.Project, now: datetime) -> list[Row]:
    if not project.policy_version:
        return []
    pinned = projects.policy(session, project, project.policy_version).policy
    found = _lead_times(session, project, now)
    if needs_figures(pinned):
        found += _thresholds(session, project, pinned, now)
        found += _rates(session, project, pinned, now)
        found += _label_shares(session, project, pinned, now)
    return found


def _lead_times(session: Session, project: models.Project, now: datetime) -> list[Row]:
    assert project.id is not None
    day = Period.DAY.start(now)
    if figures.frozen(session, project.id, policy_version=0, since=day):
        return []
    measured = figures.measured_lead_seconds(session, project.id, since=now - _LEAD_TIMES)
    make = _maker(project, policy_version=0, starts_at=day, now=now)
    return [
        make(rule=reason[:100], name="lead_seconds", value=mean, based_on=count)
        for reason, (mean, count) in measured.items()
        if count >= _ENOUGH_TIMES
    ]


def _thresholds(session: Session, project: models.Project, pinned: Policy, now: datetime) -> list[Row]:
    assert project.id is not None
    wanted = list(taken_thresholds(pinned))
    day = Period.DAY.start(now)
    if not wanted:
        return []
    there = figures.frozen(session, project.id, policy_version=pinned.version, since=day)
    make = _maker(project, policy_version=pinned.version, starts_at=day, now=now)
    found = []
    for version, (count, first) in figures.arrivals_by_model(
        session, project.id, since=now - _LATELY, until=now
    ).items():
        lacking = [item for item in wanted if (item[0].name, version, "threshold") not in there]
        if count < ENOUGH_SCORES or not lacking:
            continue
        rows = figures.latest_of_model(session, project.id, version, since=now - _LATELY, until=now, limit=_SAMPLED)
        days = max((now - first) / timedelta(days=1), 1 / 24)
        for rule, limit in lacking:
            scores = _scores(session, rule, rows)
            traffic = Traffic(scores=scores, looked_at=len(rows), per_day=count / days)
            value = threshold_from(rule, limit, traffic)
            if value is not None:
                found.append(
                    make(rule=rule.name, model_version=version, name="threshold", value=value, based_on=len(scores))
                )
    return found


def _scores(session: Session, rule: Rule, rows: list[models.Sample]) -> list[float]:
    """Return the scores of the samples that a rule looks at; those without a score have no say."""
    assert rule.kind.score is not None
    found = []
    for row in rows:
        candidate = bare_candidate(session, row)
        score = rule.kind.score(rule, candidate) if applies(rule, candidate) else None
        if score is not None:
            found.append(score)
    return found


def _rates(session: Session, project: models.Project, pinned: Policy, now: datetime) -> list[Row]:
    """Freeze the audit's rate for this hour, by what came in the one before."""
    assert project.id is not None
    hour = Period.HOUR.start(now)
    there = {name for _, _, name in figures.frozen(session, project.id, policy_version=pinned.version, since=hour)}
    if "rate" in there:
        return []
    arrived = figures.arrivals(session, project.id, since=hour - timedelta(hours=1), until=hour)
    make = _maker(project, policy_version=pinned.version, starts_at=hour, now=now)
    return [
        make(rule=rule, name="rate", value=rate, based_on=arrived)
        for rule, rate in audit_rates(pinned, arrived).items()
    ]


def _label_shares(session: Session, project: models.Project, pinned: Policy, now: datetime) -> list[Row]:
    assert project.id is not None
    day = Period.DAY.start(now)
    there = {rule for rule, _, _ in figures.frozen(session, project.id, policy_version=pinned.version, since=day)}
    wanted = [rule for rule in pinned.rules if wants_label_shares(rule) and rule.name not in there]
    if not wanted:
        return []
    rows = figures.latest_of_model(session, project.id, None, since=now - _LATELY, until=now, limit=_SAMPLED)
    predictions = [said for row in rows if (said := bare_candidate(session, row).prediction) is not None]
    if len(predictions) < ENOUGH_SCORES:
        return []
    make = _maker(project, policy_version=pinned.version, starts_at=day, now=now)
    return [
        make(rule=rule.name, name=f"label_share:{label}", value=share, based_on=len(predictions))
        for rule in wanted
        for label, share in label_shares(predictions).items()
    ]


def _maker(project: models.Project, *, policy_version: int, starts_at: datetime, now: datetime) -> Callable[..., Row]:
    def make(*, rule: str, name: str, value: float, based_on: int, model_version: str = "") -> Row:
        assert project.id is not None
        return Row(
            project_id=project.id,
            policy_version=policy_version,
            rule=rule,
            model_version=model_version,
            name=name,
            starts_at=starts_at,
            value=value,
            based_on=based_on,
            frozen_at=now,
        )

    return make
