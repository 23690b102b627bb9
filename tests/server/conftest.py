"""A server in this process, on a real database and over a real socket."""

import io
import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

from feedback_sdk.types import Box, Prediction, Sample
from feedback_sdk.wire import canonical_json
from queue_server import models, policy_file
from queue_server.app import create_app
from queue_server.auth import Scope, make_key
from queue_server.backend import Backend, open_backend
from queue_server.label_studio import LabelStudio
from queue_server.local_label_studio import LocalLabelStudio
from queue_server.settings import Settings
from queue_server.store import projects
from queue_server.store.engine import migrate, reading, writing
from tests.server.label_studio_calls import new_project
from tests.server.receivers import MailReceiver, WebReceiver, mail_receiver, web_receiver

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
#: seconds that a test waits for an answer, however busy the machine is
_PATIENCE = 60.0

PROJECT = """
project: pill-counter
task: detection
labels: [pill, capsule]
confirmation_window: 24h
rules:
  - {strategy: user_rejected}
  - {strategy: unconfirmed_low_confidence, threshold: 0.6}
  - {strategy: empty, probability: 0.0}
  - {strategy: random, rate: 0.0}
"""


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database, up to date, to copy: migrating each test's own would take most of its time."""
    folder = tmp_path_factory.mktemp("migrated")
    backend = open_backend(Settings(data_dir=folder, secret_key="s" * 32))
    migrate(backend.engine)
    backend.engine.dispose()
    return folder / "lookswrong.db"


@pytest.fixture
def sqlite_backend(tmp_path: Path, migrated_file: Path) -> Iterator[Backend]:
    """An empty SQLite database, up to date, for tests that hang on no database's ways."""
    shutil.copy(migrated_file, tmp_path / "lookswrong.db")
    opened = open_backend(Settings(data_dir=tmp_path, secret_key="s" * 32))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def postgresql_backend(tmp_path: Path, postgres_url: str) -> Iterator[Backend]:
    """An empty PostgreSQL database, up to date."""
    opened = open_backend(Settings(data_dir=tmp_path, database_url=postgres_url, secret_key="s" * 32))
    migrate(opened.engine)
    yield opened
    opened.engine.dispose()


@pytest.fixture(params=["sqlite_backend", "postgresql_backend"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """An empty database of each kind."""
    opened = request.getfixturevalue(request.param)
    assert isinstance(opened, Backend)
    return opened


def apply_project(backend: Backend, text: str = PROJECT) -> models.Project:
    """Apply a project file."""
    with writing(backend.engine) as session:
        return policy_file.apply(session, policy_file.parse(text), now=NOW).project


_PICTURES = itertools.count(1_000_000)


def jpeg(width: int = 64, height: int = 48, *, seed: int | None = None) -> bytes:
    """Return a small photo-like JPEG, another one at each call; a seed gives the same bytes again."""
    pixels = np.random.default_rng(next(_PICTURES) if seed is None else seed).integers(
        0, 255, (height, width, 3), dtype=np.uint8
    )
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def prediction(*confidences: float, model_version: str = "v1", **more: object) -> Prediction:
    """Return a detection with a box of each confidence on an image of 64x48."""
    boxes = [
        Box(label="pill", x_min=2.0 + 5 * i, y_min=3.0, x_max=6.0 + 5 * i, y_max=9.0, confidence=confidence)
        for i, confidence in enumerate(confidences)
    ]
    values: dict[str, object] = {"task": "detection", "image_size": (64, 48), "boxes": boxes}
    return Prediction(model_version=model_version, **(values | more))  # type: ignore[arg-type]  # each test names the fields it is about


def sample(said: Prediction | None = None, **more: object) -> Sample:
    """Return a new sample with a confident prediction."""
    values: dict[str, object] = {"id": uuid4(), "captured_at": NOW, "prediction": said or prediction(0.9)}
    return Sample(**(values | more))  # type: ignore[arg-type]  # each test names the fields it is about


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server with one project, and a client for each scope."""

    backend: Backend
    project: models.Project
    url: str
    ingest: httpx.Client
    read: httpx.Client
    admin: httpx.Client
    open: httpx.Client
    ingest_key: str

    def post(self, value: Sample, image: bytes | None = None) -> httpx.Response:
        """Post a sample."""
        document = (None, canonical_json(value), "application/json")
        files = {"sample": document} | ({"image": ("photo.jpg", image, "image/jpeg")} if image is not None else {})
        return self.ingest.post("/v1/samples", files=files)

    def say(self, sample_id: UUID, verdict: str, **more: object) -> httpx.Response:
        """Post a verdict with a key."""
        return self.ingest.post(
            "/v1/feedback", json={"id": str(uuid4()), "sample_id": str(sample_id), "verdict": verdict, **more}
        )

    def sample(self, sample_id: UUID) -> dict[str, object]:
        """Read a sample."""
        return self.read.get(f"/v1/samples/{sample_id}").raise_for_status().json()


def run_server(backend: Backend, *, project_text: str | None = PROJECT) -> Iterator[Server]:
    """Serve a backend on a free port for one test; without a text, with the project that is there."""
    if project_text is not None:
        apply_project(backend, project_text)
    with reading(backend.engine) as session:
        project = projects.all_projects(session)[0]
    listening = make_server("127.0.0.1", 0, create_app(backend), threaded=True)
    # How often it looks whether it shall stop: the default is what most of a test would wait for.
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{listening.server_port}"
    with writing(backend.engine) as session:
        keys = {
            scope: make_key(session, project, scopes=[scope], secret_keys=backend.settings.secret_keys, now=NOW)
            for scope in (Scope.INGEST, Scope.READ, Scope.ADMIN)
        }
    clients = {
        scope.value: httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, verify=False, timeout=_PATIENCE
        )
        for scope, key in keys.items()
    }
    clients["open"] = httpx.Client(base_url=url, verify=False, timeout=_PATIENCE)
    try:
        yield Server(backend=backend, project=project, url=url, ingest_key=keys[Scope.INGEST], **clients)
    finally:
        for client in clients.values():
            client.close()
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.fixture
def server(sqlite_backend: Backend) -> Iterator[Server]:
    """A running server on SQLite."""
    yield from run_server(sqlite_backend)


@pytest.fixture
def each_server(backend: Backend) -> Iterator[Server]:
    """A running server on each database."""
    yield from run_server(backend)


@pytest.fixture(scope="module")
def client(label_studio: LocalLabelStudio) -> LabelStudio:
    """The client of the Label Studio of this run."""
    return LabelStudio(label_studio.url, label_studio.api_key)


@pytest.fixture
def project_id(client: LabelStudio) -> int:
    """A new project in it, for boxes."""
    return new_project(client)


@pytest.fixture
def make(backend: Backend) -> Callable[[str], object]:
    """Make a project with these rules on each database, at the times that a test says."""
    from tests.server.clock import HEAD, Clock

    return lambda rules: Clock(backend, HEAD + rules)


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    """A web server that keeps what is posted."""
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    """An SMTP server that keeps what it takes."""
    with mail_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """One headless browser."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        opened = playwright.chromium.launch(executable_path=chromium_path, args=arguments)
        yield opened
        opened.close()
