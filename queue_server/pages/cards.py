"""A sample as cards and pages show it: its picture with what was said of it, why it is where it is, where it leads."""

from dataclasses import dataclass

from flask import url_for

from feedback_sdk.types import Task
from queue_server import models
from queue_server.auth import sign_image
from queue_server.core.policy import RuleOutcome
from queue_server.core.policy.explain import Told, explain, explain_decision
from queue_server.pages.drawing import Drawing, draw
from queue_server.settings import Settings
from queue_server.store.gallery import Shown


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """One rule of a decision in words."""

    rule: str
    words: str
    matched: bool
    selected: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One sample to look at."""

    row: models.Sample
    drawing: Drawing
    #: None: its image has not come
    thumbnail_url: str | None
    image_url: str | None
    #: the last decision in a sentence or two; empty: none was made
    why: str
    rules: tuple[Explained, ...]
    #: in Label Studio; None: it is not there
    task_url: str | None
    task: models.LabelingTask | None


def card(shown: Shown, *, task: Task, settings: Settings) -> Card:
    """Return a sample as a page shows it."""
    return Card(
        row=shown.sample,
        drawing=draw(shown, task),
        thumbnail_url=_image_url(shown.sample, settings, width=480),
        image_url=_image_url(shown.sample, settings, width=None),
        why=_why(shown.decision),
        rules=_rules(shown.decision),
        task_url=task_url(shown.task, settings),
        task=shown.task,
    )


def task_url(row: models.LabelingTask | None, settings: Settings) -> str | None:
    """Return where a labeling task is in Label Studio.

    >>> task_url(None, Settings()) is None
    True
    """
    base = settings.label_studio_url.rstrip("/")
    if row is None or not base or row.label_studio_task_id is None:
        return None
    return f"{base}/projects/{row.label_studio_project_id}/data?task={row.label_studio_task_id}"


def _image_url(row: models.Sample, settings: Settings, *, width: int | None) -> str | None:
    """Return a signed address on this very server: a browser does not send the key along to every path."""
    if row.image_sha256 is None:
        return None
    signature = sign_image(row.image_sha256, project_id=row.project_id, secret_keys=settings.secret_keys)
    return url_for(
        "queries.GET /v1/images/<sha256>",
        sha256=row.image_sha256,
        project=row.project_id,
        signature=signature,
        width=width,
    )


def _outcomes(row: models.Decision) -> list[RuleOutcome]:
    return [RuleOutcome(**rule) for rule in row.rules]


def _why(row: models.Decision | None) -> str:
    if row is None:
        return ""
    told = Told(
        state=row.state,
        reason=row.reason,
        inclusion_probability=row.inclusion_probability,
        policy_version=row.policy_version,
        outcomes=_outcomes(row),
    )
    return explain_decision(told)


def _rules(row: models.Decision | None) -> tuple[Explained, ...]:
    return tuple(
        Explained(rule=one.rule, words=explain(one), matched=one.matched, selected=one.selected)
        for one in (_outcomes(row) if row is not None else [])
    )
