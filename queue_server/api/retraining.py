"""The call that tells whether it is time to train the next model."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint

from queue_server.api.endpoint import Answer, Call, backend, caller, endpoint, now
from queue_server.auth import Scope
from queue_server.core.retraining import Reason
from queue_server.retraining import RetrainingStatus, retraining_status
from queue_server.store import projects, retraining
from queue_server.store.engine import reading

blueprint = Blueprint("retraining", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalAnswer:
    """A signal that was given."""

    at: datetime
    #: the data set that was prepared for it; null: it could not be
    export_id: UUID | None
    #: what was said
    text: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainingAnswer:
    """Whether it is time to train, since what that is counted, and the signals so far."""

    #: null: the project's file says nothing of it
    is_time: bool | None
    #: each threshold of the file, and how far it is from being reached
    reasons: list[Reason]
    #: why not, although a reason is reached
    held_back: str | None
    #: the last model that names the export it was trained on; null: none does, and all is counted
    model_version: str | None
    trained_on: UUID | None
    trained_at: datetime | None
    #: samples annotated since, and in how many of them the model was wrong
    new_labels: int
    new_errors: int
    #: the signal was given since that training, and is not given again
    is_given: bool
    #: the latest first
    signals: list[SignalAnswer]


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/retraining",
        summary="Read whether it is time to train the next model, and why.",
        scope=Scope.READ,
        takes_token=False,
        query=None,
        body=None,
        answers={200: RetrainingAnswer},
        problems=(401, 403),
    ),
)
def get_retraining() -> Answer[RetrainingAnswer]:
    """Look at the key's project; nothing is given or prepared."""
    project_id = caller().project_id
    with reading(backend().engine) as session:
        project = projects.get(session, project_id)
        status = retraining_status(session, project, now=now())
        given = retraining.of_project(session, project_id)
    signals = [
        SignalAnswer(at=row.at, export_id=row.export_id, text=[row.message["title"], *row.message["lines"]])
        for row in given
    ]
    return Answer(status=200, value=_answer(status, signals))


def _answer(status: RetrainingStatus | None, signals: list[SignalAnswer]) -> RetrainingAnswer:
    training = status.training if status is not None else None
    return RetrainingAnswer(
        is_time=status.advice.is_time if status is not None else None,
        reasons=list(status.advice.reasons) if status is not None else [],
        held_back=status.advice.held_back if status is not None else None,
        model_version=training.model_version if training is not None else None,
        trained_on=training.export_id if training is not None else None,
        trained_at=training.exported_at if training is not None else None,
        new_labels=status.learned.new_labels if status is not None else 0,
        new_errors=status.learned.new_errors if status is not None else 0,
        is_given=status is not None and status.signal is not None,
        signals=signals,
    )
