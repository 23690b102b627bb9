"""Calls about a model's versions: register them, and read the card of one."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from flask import Blueprint, Response

from feedback_sdk.bounds import Text
from queue_server import model_file, models
from queue_server.api.endpoint import Answer, Body, BodyKind, Call, backend, caller, endpoint, now, read_body
from queue_server.auth import Scope
from queue_server.core.model_card import read_registered
from queue_server.errors import PolicyError, ProblemError
from queue_server.reports import ModelCard, model_card, render_html, render_markdown
from queue_server.store import model_versions, projects
from queue_server.store.engine import reading, writing

blueprint = Blueprint("models", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersionBody:
    """What is to be known of a model version, as its file says it."""

    architecture: Annotated[str, Text(at_least=1, at_most=10_000)] | None = None
    hyperparameters: dict[str, object] = field(default_factory=dict)
    #: the id of an export
    trained_on: UUID | None = None
    #: as measured before it was deployed
    metrics: dict[str, float] = field(default_factory=dict)
    deployment: list[str] = field(default_factory=list)
    maintenance: list[str] = field(default_factory=list)

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersionAnswer:
    """A registered model version."""

    version: str
    registered_at: datetime
    architecture: str | None
    hyperparameters: dict[str, object]
    trained_on: UUID | None
    metrics: dict[str, float]
    deployment: list[str]
    maintenance: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersionList:
    """All registered versions of a project's model, by name."""

    versions: list[ModelVersionAnswer]


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/model-versions",
        summary="List the registered model versions.",
        scope=Scope.READ,
        takes_token=False,
        query=None,
        body=None,
        answers={200: ModelVersionList},
        problems=(401, 403),
    ),
)
def list_model_versions() -> Answer[ModelVersionList]:
    """Read the registered versions of the key's project."""
    with reading(backend().engine) as session:
        rows = model_versions.of_project(session, caller().project_id)
    return Answer(status=200, value=ModelVersionList(versions=[_answer(row) for row in rows]))


@endpoint(
    blueprint,
    Call(
        method="PUT",
        path="/v1/model-versions/<version>",
        summary="Register a model version, in place of what was registered of it.",
        scope=Scope.ADMIN,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON, value=ModelVersionBody),
        answers={200: ModelVersionAnswer},
        problems=(401, 403, 413, 415, 422),
    ),
)
def put_model_version(version: str) -> Answer[ModelVersionAnswer]:
    """Register one version."""
    given = read_body(ModelVersionBody)
    try:
        found = read_registered(asdict(given) | {"version": version})
        with writing(backend().engine) as session:
            project = projects.get(session, caller().project_id)
            row = model_file.register(session, project, found, now=now())
    except PolicyError as error:
        raise ProblemError(422, "the model version is refused", error.faults) from error
    return Answer(status=200, value=_answer(row))


def _answer(row: models.ModelVersion) -> ModelVersionAnswer:
    said = model_versions.registered(row)
    return ModelVersionAnswer(
        version=said.version,
        registered_at=row.created_at,
        architecture=said.architecture,
        hyperparameters=dict(said.hyperparameters),
        trained_on=said.trained_on,
        metrics=dict(said.metrics),
        deployment=list(said.deployment),
        maintenance=list(said.maintenance),
    )


def _card_call(path: str, *, summary: str, answer: type | str) -> Call:
    return Call(
        method="GET",
        path=path,
        summary=summary,
        scope=Scope.READ,
        takes_token=False,
        query=None,
        body=None,
        answers={200: answer},
        problems=(401, 403, 404),
    )


@endpoint(
    blueprint, _card_call("/v1/model-cards/<version>", summary="Read the card of a model version.", answer=ModelCard)
)
def get_card(version: str) -> Answer[ModelCard]:
    """Put together a card."""
    return Answer(status=200, value=_card(version))


@endpoint(
    blueprint,
    _card_call("/v1/model-cards/<version>/markdown", summary="Read the card as Markdown.", answer="text/markdown"),
)
def get_card_as_markdown(version: str) -> Response:
    """Put together a card, as Markdown."""
    return Response(render_markdown(_card(version)), mimetype="text/markdown")


@endpoint(
    blueprint, _card_call("/v1/model-cards/<version>/html", summary="Read the card as a page.", answer="text/html")
)
def get_card_as_html(version: str) -> Response:
    """Put together a card, as a page."""
    return Response(render_html(_card(version)), mimetype="text/html")


def _card(version: str) -> ModelCard:
    with reading(backend().engine) as session:
        found = model_card(session, version, project_id=caller().project_id, now=now())
    if found is None:
        raise ProblemError(404, "no such model version was registered or sent")
    return found
