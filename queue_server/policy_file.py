"""A project's YAML file: labels, policy, Label Studio target. Each apply that changes the policy is a new version."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import yaml
from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server import models
from queue_server.core.policy import Rule, parse_rules
from queue_server.core.policy.strategies import STRATEGIES
from queue_server.errors import PolicyError
from queue_server.store import projects

_KEYS = ("project", "task", "labels", "multi_label", "confirmation_window", "rules", "label_studio")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectFile:
    """What a project's file says."""

    project: str
    task: Task
    labels: tuple[str, ...]
    multi_label: bool
    confirmation_window_seconds: float
    rules: tuple[Rule, ...]
    label_studio_title: str


def parse(text: str) -> ProjectFile:
    """Read a project's file, or raise PolicyError with the path of what is wrong."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError("", f"the file must be YAML: {error}") from error
    if not isinstance(document, Mapping):
        raise PolicyError("", f"the file must hold a mapping with project, task, labels and rules, got {document!r}")
    for key in document:
        if key not in _KEYS:
            raise PolicyError(str(key), f"is not known, must be one of {', '.join(_KEYS)}")
    rules = document.get("rules", [])
    if not isinstance(rules, list):
        raise PolicyError("rules", f"must be a list, got {rules!r}")
    name = _name(document.get("project"))
    return ProjectFile(
        project=name,
        task=_task(document.get("task")),
        labels=_labels(document.get("labels")),
        multi_label=_boolean("multi_label", document.get("multi_label", False)),
        confirmation_window_seconds=_seconds("confirmation_window", document.get("confirmation_window", "24h")),
        rules=parse_rules(rules, STRATEGIES),
        label_studio_title=_title(document.get("label_studio"), name),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What applying a file did."""

    project: models.Project
    is_new_version: bool


def apply(session: Session, file: ProjectFile, *, now: datetime) -> Applied:
    """Make the project, or change it; the policy gets a new version if it is another one."""
    project = projects.find(session, file.project) or _new_project(file, now)
    if project.policy_version and project.task != file.task:
        raise PolicyError("task", f"must stay {project.task}, got {file.task}: make another project")
    if missing := [label for label in project.labels if label not in file.labels]:
        raise PolicyError("labels", f"must keep {', '.join(missing)}: samples and annotations may use them")
    if project.labels != list(file.labels):
        # The next push looks again whether Label Studio's interface knows them all.
        project.label_studio_view_id = None
    project.labels = list(file.labels)
    project.multi_label = file.multi_label
    if project.label_studio_title != file.label_studio_title:
        project.label_studio_title = file.label_studio_title
        project.label_studio_project_id = project.label_studio_view_id = None
    session.add(project)
    session.flush()
    is_new = _add_version(session, project, file, now)
    return Applied(project=project, is_new_version=is_new)


def describe(project: models.Project, version: models.PolicyVersion) -> dict[str, object]:
    """Return a project with one version of its policy, for people."""
    return {
        "project": project.name,
        "task": project.task,
        "labels": project.labels,
        "policy_version": version.version,
        "confirmation_window_seconds": version.confirmation_window_seconds,
        "rules": version.rules,
        "label_studio": {"project": project.label_studio_title, "id": project.label_studio_project_id},
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
    rules = [_as_document(rule) for rule in file.rules]
    window = file.confirmation_window_seconds
    if project.policy_version:
        current = projects.version_row(session, project, project.policy_version)
        if current.rules == rules and current.confirmation_window_seconds == window:
            return False
    assert project.id is not None
    project.policy_version += 1
    session.add(
        models.PolicyVersion(
            project_id=project.id,
            version=project.policy_version,
            confirmation_window_seconds=window,
            rules=rules,
            created_at=now,
        )
    )
    session.flush()
    return True


def _as_document(rule: Rule) -> dict[str, object]:
    fields = asdict(rule)
    parameters = fields.pop("parameters")
    return fields | {name: value for name, value in parameters.items() if value is not None}


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


def _boolean(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise PolicyError(field, f"must be true or false, got {value!r}")
    return value


def _seconds(field: str, value: object) -> float:
    """Read `90`, `"90s"`, `"15m"`, `"24h"` or `"7d"` as seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value).strip())
    if match is None or isinstance(value, bool):
        raise PolicyError(field, f"must be a time span such as 90s, 15m, 24h or 7d, got {value!r}")
    return float(match[1]) * _UNITS[match[2] or "s"]


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
