"""One project's way through a real Label Studio, driven by a test."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server import models
from queue_server.backend import Backend, open_backend
from queue_server.core.datasets import Candidate, LabelSource
from queue_server.export import PreparedExport, prepare
from queue_server.label_studio import LabelStudio
from queue_server.local_label_studio import LocalLabelStudio
from queue_server.pull import PullResult, pull_project
from queue_server.push import PushResult, push_project
from queue_server.settings import Settings
from queue_server.store import annotations, labeling_tasks, projects, samples, targets
from queue_server.store.engine import migrate, reading, writing
from tests.server.conftest import PROJECT, Server, apply_project, jpeg, prediction, run_server, sample

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A server, and a project of its own in Label Studio."""

    server: Server
    backend: Backend
    client: LabelStudio
    label_studio: httpx.Client

    @property
    def project(self) -> models.Project:
        with reading(self.backend.engine) as session:
            found = projects.find(session, "pill-counter")
        assert found is not None
        return found

    @property
    def target(self) -> models.LabelStudioTarget:
        with reading(self.backend.engine) as session:
            found = targets.main(session, self.project)
        assert found is not None
        return found

    def apply(self, rules: str) -> None:
        """Change the policy to these rules, each a line of YAML's flow style."""
        before, _, _ = PROJECT.partition("rules:")
        listed = "".join(f"  - {{{rule}}}\n" for rule in rules.strip().splitlines())
        place = f'label_studio: {{project: "{self.project.label_studio_title}"}}\n'
        apply_project(self.backend, f"{before}rules:\n{listed}{place}")

    def push(self) -> PushResult:
        return push_project(self.backend, self.client, self.project)

    def pull(self) -> PullResult:
        return pull_project(self.backend, self.client, self.project)

    def queue(self, *confidences: float, **more: object) -> UUID:
        """Post a sample and reject it."""
        value = sample(prediction(*(confidences or (0.9,))), **more)
        assert self.server.post(value, jpeg(seed=next(_NUMBERS))).status_code == 201
        self.server.say(value.id, "rejected", reporter="anna")
        return value.id

    def task(self, sample_id: UUID) -> dict:
        """Read a sample's task in Label Studio."""
        task_id = self.server.sample(sample_id)["labeling_task"]["label_studio_task_id"]
        return self.label_studio.get(f"/api/tasks/{task_id}").raise_for_status().json()

    def tasks(self, target: models.LabelStudioTarget | None = None) -> list[dict]:
        """Read all tasks of a target, else of the main one."""
        place = (target or self.target).label_studio_project_id
        return self.label_studio.get(f"/api/projects/{place}/tasks").raise_for_status().json()

    def annotate(self, sample_id: UUID, change: Callable[[list], list] = lambda result: result, **more: object) -> int:
        """Annotate a task as its pre-annotation says, changed."""
        return self.submit(self.task(sample_id), change(self.task(sample_id)["predictions"][0]["result"]), **more)

    def submit(self, task: dict, result: list, *, token: str | None = None, **more: object) -> int:
        """Finish a task in Label Studio with this result; `token`: as another annotator than the first."""
        headers = {"Authorization": f"Token {token}"} if token else {}
        answer = self.label_studio.post(
            f"/api/tasks/{task['id']}/annotations/", json={"result": result, "lead_time": 7.5, **more}, headers=headers
        )
        return answer.raise_for_status().json()["id"]

    def state(self, sample_id: UUID) -> tuple[str, str | None]:
        """Return a sample's state and reason."""
        found = self.server.sample(sample_id)
        return found["state"], found["reason"]

    def outcome(self, sample_id: UUID) -> str | None:
        """Return whether a sample's users were right."""
        with reading(self.backend.engine) as session:
            return self._row(session, sample_id).outcome

    def annotations(self, sample_id: UUID) -> list[models.Annotation]:
        """Return the latest versions of a sample's annotations."""
        with reading(self.backend.engine) as session:
            return annotations.live(session, self._row(session, sample_id).id)

    def chosen(self, sample_id: UUID) -> Candidate | None:
        """Return the annotation of a sample that counts."""
        with reading(self.backend.engine) as session:
            return annotations.chosen(session, self._row(session, sample_id).id, task=Task.DETECTION)

    def forget_push(self, sample_id: UUID) -> None:
        """Leave a task as a push does that died before it could record it."""
        with writing(self.backend.engine) as session:
            sample = self._row(session, sample_id)
            row = labeling_tasks.of_sample(session, sample.id)
            row.label_studio_task_id, row.state, sample.state = None, "waiting", "queued"

    def export(self, include: frozenset[LabelSource]) -> PreparedExport:
        """Prepare a data set in COCO's format."""
        now = datetime.now(UTC)
        return prepare(self.backend, self.project.id, format_name="coco", include=include, now=now)

    def _row(self, session: Session, sample_id: UUID) -> models.Sample:
        return samples.find(session, self.project.id, sample_id)


def drawn(*places: float, label: str = "pill") -> list[dict]:
    """Return what an annotator draws: a box of 10 by 10 percent at each place along the top."""
    place = {"y": 10.0, "width": 10.0, "height": 10.0, "rotation": 0, "rectanglelabels": [label]}
    known = {"from_name": "boxes", "to_name": "image", "type": "rectanglelabels"}
    return [{"id": f"drawn{index}", **known, "value": {"x": x, **place}} for index, x in enumerate(places)]


@pytest.fixture
def loop(tmp_path: Path, label_studio: LocalLabelStudio) -> Iterator[Loop]:
    """A server on SQLite that knows the Label Studio of this run."""
    settings = Settings(
        data_dir=tmp_path,
        secret_key="s" * 32,
        label_studio_url=label_studio.url,
        label_studio_api_key=label_studio.api_key,
    )
    backend = open_backend(settings)
    migrate(backend.engine)
    title = f"pills {datetime.now(UTC).timestamp():.6f}"
    apply_project(backend, PROJECT + f'label_studio: {{project: "{title}"}}\n')
    headers = {"Authorization": f"Token {label_studio.api_key}"}
    with httpx.Client(base_url=label_studio.url, headers=headers, timeout=30.0) as direct:
        for server in run_server(backend, project_text=None):
            client = LabelStudio(label_studio.url, label_studio.api_key)
            yield Loop(server=server, backend=backend, client=client, label_studio=direct)
    backend.engine.dispose()
