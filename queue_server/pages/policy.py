"""The page that shows the policy, what each rule brought, and what another policy would have made of the past."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml
from flask import render_template, request
from sqlmodel import Session

from queue_server import models, policy_file, replay
from queue_server.core.policy.difference import difference
from queue_server.core.policy.replay import Replayed
from queue_server.errors import FieldError, PolicyError
from queue_server.pages.frame import admin, backend, blueprint, posting_admin
from queue_server.replay import Outcome, Proposed
from queue_server.reports import snapshots
from queue_server.reports.rules import RuleFigures, RulesReport
from queue_server.store import projects
from queue_server.store.engine import reading

_MOST_CHARACTERS = 100_000
#: what goes without saying of a rule
_USUAL = (("probability", 1.0), ("blind", 0.0))
_SPANS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleLine:
    """A rule as its file says it, with what it brought."""

    name: str
    strategy: str
    about: str
    priority: int
    #: its other values, in words
    more: str
    figures: RuleFigures | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A project's policy."""

    version: int
    #: of confirmation, in words
    window: str
    rules: tuple[RuleLine, ...]
    #: reasons that are no rule of this version, with what they brought
    others: tuple[RuleFigures, ...]
    figures: snapshots.Snapshot[RulesReport] | None
    #: as a file says it
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What a proposed policy would have done, beside the one there is."""

    before: Replayed
    after: Replayed
    samples_in_all: int
    #: what changes from one to the other
    lines: tuple[str, ...]

    @property
    def reasons(self) -> list[str]:
        """Return the reasons of either, those that queue most first."""
        counts: Mapping[str, int] = {**self.before.queued, **self.after.queued}
        return sorted(counts, key=lambda reason: -counts[reason])


@blueprint.get("/policy")
def show_policy() -> str:
    """Show the policy and what each of its rules brought."""
    caller = admin()
    with reading(backend().engine) as session:
        shown = _shown(session, projects.get(session, caller.project_id))
    return render_template("pages/policy.html", shown=shown, typed=shown.text, tried=None, faults=())


@blueprint.post("/policy")
def try_policy() -> tuple[str, int]:
    """Run the policy that was typed over the last samples, beside the current one; nothing is changed."""
    caller = posting_admin()
    typed = request.form.get("policy", "")[:_MOST_CHARACTERS]
    with reading(backend().engine) as session:
        project = projects.get(session, caller.project_id)
        shown = _shown(session, project)
    faults: Sequence[FieldError] = ()
    tried = None
    try:
        tried = _try(project, typed)
    except PolicyError as error:
        faults = error.faults
    status = 422 if faults else 200
    return render_template("pages/policy.html", shown=shown, typed=typed, tried=tried, faults=faults), status


def _try(project: models.Project, typed: str) -> Tried:
    own = {"project": project.name, "task": project.task, "labels": list(project.labels)}
    parsed = policy_file.parse(typed, defaults=own)
    proposed = Proposed(text=parsed.policy, confirmation_window_seconds=parsed.confirmation_window_seconds)
    current = replay.current(backend(), project) or proposed
    outcome: Outcome = replay.run(backend(), project, [current, proposed])
    return Tried(
        before=outcome.replayed[0],
        after=outcome.replayed[1],
        samples_in_all=outcome.samples_in_all,
        lines=tuple(difference(current.text, proposed.text).lines()),
    )


def _shown(session: Session, project: models.Project) -> Shown:
    assert project.id is not None
    row = projects.version_row(session, project, project.policy_version)
    made = snapshots.latest(session, project.id, RulesReport)
    found = {one.reason: one for one in made.value.rules} if made is not None else {}
    rules = tuple(
        RuleLine(
            name=rule.name,
            strategy=rule.strategy,
            about=rule.kind.about,
            priority=rule.priority,
            more=_more(document),
            figures=found.pop(rule.name, None),
        )
        for rule, document in zip(projects.text_of(row).rules, row.rules, strict=True)
    )
    return Shown(
        version=row.version,
        window=_span(row.confirmation_window_seconds),
        rules=rules,
        others=tuple(found.values()),
        figures=made,
        text=_text(row),
    )


def _span(seconds: float) -> str:
    """Return a span in its largest whole unit.

    >>> _span(86_400.0), _span(5400.0)
    ('1 day', '90 minutes')
    """
    name, size = next(((name, size) for name, size in _SPANS if seconds >= size and seconds % size == 0), _SPANS[-1])
    count = seconds / size
    return f"{count:g} {name}" if count == 1 else f"{count:g} {name}s"


def _more(document: models.Document) -> str:
    said = {name: value for name, value in document.items() if name not in ("strategy", "name", "priority")}
    shown = {name: value for name, value in said.items() if (name, value) not in _USUAL}
    return ", ".join(f"{name.replace('_', ' ')} {_said(value)}" for name, value in shown.items())


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_said(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return str(value)


def _text(row: models.PolicyVersion) -> str:
    """Return a version as its file would say it."""
    said: dict[str, object] = {"confirmation_window": f"{row.confirmation_window_seconds:g}s", "rules": row.rules}
    said |= {name: getattr(row, name) for name in ("budget", "near_duplicates") if getattr(row, name) is not None}
    if row.silence_affirms != "always":
        said["silence_affirms"] = row.silence_affirms
    return yaml.safe_dump(said, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)
