"""One project on one database, at the times that a test says."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import func, select

from feedback_sdk.types import Feedback, Prediction, Verdict
from queue_server import models
from queue_server.auth import Caller
from queue_server.backend import Backend
from queue_server.ingest.feedback import take_feedback
from queue_server.ingest.samples import take_sample
from queue_server.store import labeling_tasks, samples
from queue_server.store.engine import reading
from tests.server.conftest import NOW, PROJECT, apply_project, jpeg, sample

#: a project whose rules a test adds
HEAD = """
project: pill-counter
task: detection
labels: [pill, capsule]
confirmation_window: 24h
rules:
"""


class Clock:
    """One project on one database, at the times that a test says."""

    def __init__(self, backend: Backend, text: str = PROJECT) -> None:
        self.backend = backend
        self.project_id = apply_project(backend, text).id

    def arrive(
        self, said: Prediction | None, *, now: datetime = NOW, image: bytes | None = None, **more: object
    ) -> UUID:
        """Post a sample with a picture of its own, unless one is given."""
        value = sample(said, **more) if said is not None else sample(**{"prediction": None, **more})
        take_sample(self.backend, self.project_id, value, image=image or jpeg(), now=now)
        return value.id

    def say(
        self, sample_id: UUID, verdict: Verdict, *, now: datetime = NOW, reporter: str | None = "anna", **more: object
    ) -> None:
        given = Feedback(id=uuid4(), sample_id=sample_id, verdict=verdict, reporter=reporter, **more)  # type: ignore[arg-type]  # each test names the fields it is about
        take_feedback(self.backend, Caller(project_id=self.project_id, scopes=frozenset()), given, now=now)

    def sample(self, sample_id: UUID) -> models.Sample:
        with reading(self.backend.engine) as session:
            return samples.find(session, self.project_id, sample_id)

    def end(self, sample_id: UUID) -> tuple[str, str | None]:
        found = self.sample(sample_id)
        return found.state, found.reason

    def count(self, table: type) -> int:
        with reading(self.backend.engine) as session:
            return session.exec(select(func.count()).select_from(table)).one()

    def decisions(self, sample_id: UUID) -> list[models.Decision]:
        with reading(self.backend.engine) as session:
            query = select(models.Decision).where(models.Decision.sample_pk == self.sample(sample_id).id)
            return list(session.exec(query.order_by(models.Decision.id)))

    def rules(self, sample_id: UUID) -> dict[str, dict]:
        """Return what each rule made of a sample in its latest decision."""
        return {rule["rule"]: rule for rule in self.decisions(sample_id)[-1].rules}

    def task(self, sample_id: UUID) -> models.LabelingTask | None:
        with reading(self.backend.engine) as session:
            return labeling_tasks.of_sample(session, self.sample(sample_id).id)
