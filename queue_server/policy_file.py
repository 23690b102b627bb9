"""A project's YAML file: labels, policy, Label Studio target. Each apply that changes the policy is a new version."""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server import models
from queue_server.core.alerts import (
    AlertRule,
    Channel,
    alert_document,
    channel_document,
    parse_alerts,
    parse_channels,
)
from queue_server.core.policy import parse_policy
from queue_server.core.policy.faults import Faults, nearest
from queue_server.core.policy.parameters import read_seconds
from queue_server.core.policy.reading import PolicyText, budget_document, near_duplicates_document, rule_document
from queue_server.core.retraining import RetrainingRule, parse_retraining, retraining_document
from queue_server.core.slices import Slice, read_slices
from queue_server.errors import PolicyError
from queue_server.plugins import strategies
from queue_server.store import alerts, projects, slices, targets
from queue_server.yaml_lines import read_yaml

KEYS = (
    *("project", "task", "labels", "multi_label", "confirmation_window", "rules", "budget", "near_duplicates"),
    *("silence_affirms", "origins", "label_studio", "slices", "channels", "alerts", "retraining"),
)
#: as browsers send it: no path, no user, no upper case
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII)
_USUAL_PORTS = {"http": "80", "https": "443"}
#: longer than anybody waits for a user, and short enough to be added to a date
_LONGEST_WINDOW_SECONDS = 366 * 86_400.0
#: a message quotes what came, which may be the whole file
_LONGEST_MESSAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectFile:
    """What a project's file says."""

    project: str
    task: Task
    labels: tuple[str, ...]
    multi_label: bool
    confirmation_window_seconds: float
    policy: PolicyText
    #: None: any
    origins: tuple[str, ...] | None
    label_studio_title: str
    slices: tuple[Slice, ...] = ()
    channels: tuple[Channel, ...] = ()
    alerts: tuple[AlertRule, ...] = ()
    retraining: RetrainingRule | None = None


def parse(text: str, *, defaults: Mapping[str, object] | None = None) -> ProjectFile:
    """Read a project's file, or raise PolicyError with the line and the path of all that is wrong.

    `defaults` stand for the keys that the text leaves out.
    """
    read = read_yaml(text)
    document = {**(defaults or {}), **read.document} if isinstance(read.document, Mapping) else read.document
    try:
        return parse_document(document)
    except PolicyError as error:
        faults = [replace(fault, line=read.line(fault.field)) for fault in error.faults]
        raise PolicyError.of(faults) from error


def parse_document(document: object) -> ProjectFile:
    """Read what a project's file holds, or raise PolicyError with the path of all that is wrong."""
    if not isinstance(document, Mapping):
        raise PolicyError(
            "", f"the file must hold a mapping with project, task, labels and rules, got {str(document)[:100]!r}"
        )
    faults = Faults()
    for key in document:
        if key not in KEYS:
            faults.add(str(key), f"is not known here, must be one of {', '.join(KEYS)}{nearest(str(key), KEYS)}")
    name = faults.hear(lambda: _name(document.get("project"))) or ""
    task = faults.hear(lambda: _task(document.get("task")))
    labels = faults.hear(lambda: _labels(document.get("labels"))) or ()
    multi_label = faults.hear(lambda: _boolean("multi_label", document.get("multi_label", False)))
    window = faults.hear(lambda: _window(document.get("confirmation_window", "24h")))
    policy = faults.hear(lambda: parse_policy(document, strategies()))
    origins = faults.hear(lambda: _origins(document.get("origins"), faults))
    title = faults.hear(lambda: _title(document.get("label_studio"), name))
    parts = faults.hear(lambda: read_slices(document.get("slices")))
    channels = faults.hear(lambda: parse_channels(document.get("channels")))
    named = _channel_names(document.get("channels"))
    watched = faults.hear(lambda: parse_alerts(document.get("alerts"), channels=named))
    retraining = faults.hear(lambda: parse_retraining(document.get("retraining"), channels=named))
    if labels:
        _check_labels(document.get("rules"), labels, faults)
    _check(faults)
    assert task is not None
    assert policy is not None
    return ProjectFile(
        project=name,
        task=task,
        labels=labels,
        multi_label=multi_label is True,
        confirmation_window_seconds=window or 0.0,
        policy=policy,
        origins=origins,
        label_studio_title=title or "",
        slices=parts or (),
        channels=channels or (),
        alerts=watched or (),
        retraining=retraining,
    )


def _channel_names(value: object) -> list[str]:
    """Return the names that alerts may use, those of channels with other faults too."""
    return [str(name) for name in value] if isinstance(value, Mapping) else []


def _check(faults: Faults) -> None:
    """Raise PolicyError if there is any fault, with messages that a person can take in."""
    try:
        faults.check()
    except PolicyError as error:
        raise PolicyError.of(
            [replace(fault, message=shorten(fault.message, _LONGEST_MESSAGE)) for fault in error.faults]
        ) from error


def shorten(text: str, at_most: int) -> str:
    """Return a text without its middle where it is longer than that.

    >>> shorten("abcdefgh", 5)
    'ab … gh'
    """
    return text if len(text) <= at_most else f"{text[: at_most // 2]} … {text[-(at_most // 2) :]}"


def _check_labels(rules: object, labels: Sequence[str], faults: Faults) -> None:
    """Find labels that rules name and the project does not have, in rules with other faults too."""
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        for key, label in _named_labels(rule) if isinstance(rule, Mapping) else ():
            if label not in labels:
                message = f"must name labels of the project, {', '.join(labels)}, got {label!r}"
                faults.add(f"rules.{index}.{key}", message + nearest(label, labels))


def _named_labels(rule: Mapping[object, object]) -> Iterator[tuple[str, str]]:
    """Return the labels that a rule of a file names, each with its key there."""
    keys = ("labels", "per_class", "any", "all") if rule.get("strategy") == "labels" else ("labels", "per_class")
    for key in keys:
        named = rule.get(key)
        if isinstance(named, list | Mapping):
            yield from ((key, label) for label in named if isinstance(label, str))


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What applying a file did."""

    project: models.Project
    is_new_version: bool


def apply(session: Session, file: ProjectFile, *, now: datetime) -> Applied:
    """Make the project, or change it; the policy gets a new version if it is another one.

    The project's row is locked first: of two applies at once each sees what the other did, and makes a version or none.
    """
    project = projects.lock(session, _new_project(file, now))
    check_change(project, file)
    if project.labels != list(file.labels):
        # The next push looks again whether Label Studio's interface knows them all.
        targets.look_again(session, project)
    project.labels = list(file.labels)
    project.multi_label = file.multi_label
    project.origins = list(file.origins) if file.origins is not None else None
    project.label_studio_title = file.label_studio_title
    _watch(session, project, file, now)
    session.add(project)
    session.flush()
    is_new = _add_version(session, project, file, now)
    return Applied(project=project, is_new_version=is_new)


def _watch(session: Session, project: models.Project, file: ProjectFile, now: datetime) -> None:
    """Keep what is watched and who is told: no part of the policy, as no decision hangs on it.

    Slices that the file does not name stay: they may be of the API's.
    """
    assert project.id is not None
    for part in file.slices:
        slices.keep(session, project.id, part, now=now)
    project.channels = {channel.name: channel_document(channel) for channel in file.channels} or None
    project.alerts = [alert_document(rule) for rule in file.alerts] or None
    project.retraining = retraining_document(file.retraining) if file.retraining is not None else None
    alerts.sync(session, project.id, file.alerts, now=now)


def check_change(project: models.Project, file: ProjectFile) -> None:
    """Raise PolicyError where a file takes from a project what its samples and annotations may use."""
    if project.policy_version and project.task != file.task:
        raise PolicyError("task", f"must stay {project.task}, got {file.task}: make another project")
    if missing := [label for label in project.labels if label not in file.labels]:
        raise PolicyError("labels", f"must keep {', '.join(missing)}: samples and annotations may use them")


def is_other_policy(session: Session, project: models.Project, file: ProjectFile) -> bool:
    """Tell whether a file's policy is another than the project's current one, or its first."""
    if not project.policy_version:
        return True
    return not _is_same(projects.version_row(session, project, project.policy_version), file)


def describe(project: models.Project, version: models.PolicyVersion) -> dict[str, object]:
    """Return a project with one version of its policy, for people."""
    return {
        "project": project.name,
        "task": project.task,
        "labels": project.labels,
        "policy_version": version.version,
        "confirmation_window_seconds": version.confirmation_window_seconds,
        "rules": version.rules,
        "budget": version.budget,
        "near_duplicates": version.near_duplicates,
        "silence_affirms": version.silence_affirms,
        "origins": project.origins,
        "label_studio": {"project": project.label_studio_title},
        "channels": project.channels,
        "alerts": project.alerts,
        "retraining": project.retraining,
    }


def _new_project(file: ProjectFile, now: datetime) -> models.Project:
    return models.Project(
        name=file.project,
        task=file.task,
        labels=[],
        salt=secrets.token_bytes(32),
        webhook_secret=secrets.token_urlsafe(32),
        label_studio_title=file.label_studio_title,
        created_at=now,
    )


def _add_version(session: Session, project: models.Project, file: ProjectFile, now: datetime) -> bool:
    """Add a version if the policy is another one; the versions that are there, and what they decided, stay."""
    assert project.id is not None
    if not is_other_policy(session, project, file):
        return False
    project.policy_version += 1
    session.add(
        models.PolicyVersion(
            project_id=project.id,
            version=project.policy_version,
            confirmation_window_seconds=file.confirmation_window_seconds,
            rules=[rule_document(rule) for rule in file.policy.rules],
            budget=budget_document(file.policy.budget),
            near_duplicates=near_duplicates_document(file.policy.near_duplicates),
            silence_affirms=file.policy.silence_affirms,
            created_at=now,
        )
    )
    session.flush()
    return True


def _is_same(current: models.PolicyVersion, file: ProjectFile) -> bool:
    """Compare what they mean: a version of before may leave a default unsaid that ours writes out."""
    if current.confirmation_window_seconds != file.confirmation_window_seconds:
        return False
    return projects.text_of(current) == file.policy


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", value):
        raise PolicyError("project", f"must be lower-case letters, digits and hyphens, got {value!r}")
    return value


def _task(value: object) -> Task:
    try:
        return Task(str(value))
    except ValueError as error:
        raise PolicyError("task", f"must be one of {', '.join(Task)}, got {value!r}") from error


def _labels(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(label, str) and label for label in value):
        raise PolicyError("labels", f"must be a list of one or more names, got {value!r}")
    if len(set(value)) != len(value):
        raise PolicyError("labels", f"must not repeat, got {value!r}")
    return tuple(value)


def _origins(value: object, faults: Faults) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise PolicyError("origins", f"must be a list such as [https://app.example], got {value!r}")
    found: dict[str, None] = {}
    for index, item in enumerate(value):
        try:
            found[_origin(f"origins.{index}", item)] = None
        except PolicyError as error:
            faults.add(error.field, error.message)
    return tuple(found)


def _origin(field: str, value: object) -> str:
    """Return an origin as browsers send it: without the port that its scheme implies."""
    if not isinstance(value, str) or not _ORIGIN.fullmatch(value):
        must = "must be scheme://host or scheme://host:port in lower case, without a path or a slash at its end"
        raise PolicyError(field, f"{must}, got {value!r}")
    scheme, _, rest = value.partition("://")
    usual = f":{_USUAL_PORTS.get(scheme, '')}"
    return value.removesuffix(usual) if rest.endswith(usual) else value


def _window(value: object) -> float:
    seconds = read_seconds("confirmation_window", value)
    if seconds > _LONGEST_WINDOW_SECONDS:
        raise PolicyError("confirmation_window", f"must be at most 366d, got {value}")
    return seconds


def _boolean(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise PolicyError(field, f"must be true or false, got {value!r}")
    return value


def _title(value: object, project: str) -> str:
    if value is None:
        return f"{project}: production feedback" if len(project) <= 29 else f"{project:.50}"
    title = value.get("project") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or set(value) - {"project"} or not isinstance(title, str):
        raise PolicyError("label_studio", f"must be a mapping with the title of a project, got {value!r}")
    # Label Studio refuses others.
    if not 3 <= len(title) <= 50:
        raise PolicyError("label_studio.project", f"must have 3 to 50 characters, got {len(title)}")
    return title
