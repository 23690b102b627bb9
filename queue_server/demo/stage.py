"""Start the demo's parts, each a process of its own, and stop them again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml

from queue_server import models
from queue_server.auth import Scope, make_key
from queue_server.backend import Backend, open_backend
from queue_server.errors import ProcessError
from queue_server.local_label_studio import LocalLabelStudio
from queue_server.policy_file import apply, parse
from queue_server.processes import Command, Process, free_port, stop_orphan
from queue_server.settings import Settings, keep_secret
from queue_server.store.engine import migrate, writing

_ROOT = Path(__file__).resolve().parents[2]
_EXAMPLE = _ROOT / "examples" / "pill_counter"


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where the demo keeps its state, and on which ports it listens; a second run finds all as it was."""

    folder: Path
    server_port: int
    app_port: int
    label_studio_port: int

    @property
    def server_url(self) -> str:
        """Return the address of the queue server."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def app_url(self) -> str:
        """Return the address of the pill counter."""
        return f"http://127.0.0.1:{self.app_port}"

    @property
    def models(self) -> Path:
        """Return the folder of the trained models."""
        return self.folder / "models"

    @property
    def spool(self) -> Path:
        """Return the folder of the SDK's spool."""
        return self.folder / "spool"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelStudioAccess:
    """A Label Studio to work with; no login is known for one that was there before."""

    url: str
    api_key: str = field(repr=False)
    email: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Everything is up."""

    places: Places
    backend: Backend
    project: models.Project
    label_studio: LabelStudioAccess
    keys: Mapping[str, str] = field(repr=False)

    def example(self, module: str, *arguments: str) -> tuple[str, ...]:
        """Return the command line of a module of the pill counter."""
        return (sys.executable, "-m", f"examples.pill_counter.{module}", *arguments)


def open_places(folder: Path) -> Places:
    """Return the demo's places; ports are chosen once, for Label Studio keeps our addresses."""
    if not _EXAMPLE.is_dir():
        raise ProcessError(f"the demo needs a checkout of the project with {_EXAMPLE.relative_to(_ROOT)}, got none")
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "ports.json"
    if not kept.exists():
        names = ("server_port", "app_port", "label_studio_port")
        kept.write_text(json.dumps({name: free_port() for name in names}))
    return Places(folder=folder, **json.loads(kept.read_text()))


@contextmanager
def open_stage(places: Places, *, confirmation_window: str, audit_rate: float) -> Iterator[Stage]:
    """Start Label Studio (if none is set) and the server, apply the project, and stop what was started at the end."""
    with ExitStack() as stack:
        say("starting Label Studio …")
        label_studio = stack.enter_context(_label_studio(places))
        backend = _backend(places, label_studio)
        stack.callback(backend.engine.dispose)
        project = _apply(backend, confirmation_window=confirmation_window, audit_rate=audit_rate)
        keys = _keys(places, backend, project)
        say("starting the queue server …")
        stack.enter_context(_server(places, backend))
        yield Stage(places=places, backend=backend, project=project, label_studio=label_studio, keys=keys)


@contextmanager
def _label_studio(places: Places) -> Iterator[LabelStudioAccess]:
    given = Settings()
    if given.label_studio_url:
        yield LabelStudioAccess(url=given.label_studio_url, api_key=given.label_studio_api_key)
        return
    with LocalLabelStudio(places.folder / "label-studio", port=places.label_studio_port) as ours:
        yield LabelStudioAccess(url=ours.url, api_key=ours.api_key, email=ours.email, password=ours.password)


def _backend(places: Places, label_studio: LabelStudioAccess) -> Backend:
    data_dir = places.folder / "server"
    settings = Settings(
        data_dir=data_dir,
        database_url="",
        broker_url="",
        blob_url="",
        public_url=places.server_url,
        internal_url="",
        secret_key=keep_secret(data_dir),
        label_studio_url=label_studio.url,
        label_studio_api_key=label_studio.api_key,
    )
    backend = open_backend(settings)
    migrate(backend.engine)
    return backend


def _apply(backend: Backend, *, confirmation_window: str, audit_rate: float) -> models.Project:
    """Apply the example's project file with a window that a demo can wait for, and an audit that it can see."""
    document = yaml.safe_load((_EXAMPLE / "project.yaml").read_text(encoding="utf-8"))
    document["confirmation_window"] = confirmation_window
    for rule in document["rules"]:
        if rule["strategy"] == "random":
            rule["rate"] = audit_rate
    with writing(backend.engine) as session:
        return apply(session, parse(yaml.safe_dump(document)), now=datetime.now(UTC)).project


def _keys(places: Places, backend: Backend, project: models.Project) -> dict[str, str]:
    """Return the demo's keys, made at its first run: one for the app, one for a person with a browser."""
    kept = places.folder / "keys.json"
    if kept.exists():
        keys: dict[str, str] = json.loads(kept.read_text())
        return keys
    secret_keys = backend.settings.secret_keys
    with writing(backend.engine) as session:
        made = {
            "app": make_key(
                session, project, scopes=[Scope.INGEST, Scope.READ], secret_keys=secret_keys, now=datetime.now(UTC)
            ),
            "admin": make_key(
                session, project, scopes=[Scope.ADMIN, Scope.READ], secret_keys=secret_keys, now=datetime.now(UTC)
            ),
        }
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(made))
    return made


@contextmanager
def _server(places: Places, backend: Backend) -> Iterator[None]:
    settings = backend.settings
    command = Command(
        name="server",
        argv=(sys.executable, "-m", "queue_server", "serve", "--port", str(places.server_port)),
        environment={
            "LOOKSWRONG_DATA_DIR": str(settings.data_dir),
            "LOOKSWRONG_DATABASE_URL": "",
            "LOOKSWRONG_BROKER_URL": "",
            "LOOKSWRONG_BLOB_URL": "",
            "LOOKSWRONG_SECRET_KEY": settings.secret_key,
            "LOOKSWRONG_PUBLIC_URL": settings.public_url,
            "LOOKSWRONG_INTERNAL_URL": "",
            "LOOKSWRONG_LABEL_STUDIO_URL": settings.label_studio_url,
            "LOOKSWRONG_LABEL_STUDIO_API_KEY": settings.label_studio_api_key,
        },
        ready_url=f"{places.server_url}/readyz",
        log_file=places.folder / "server.log",
        pid_file=places.folder / "server.pid",
    )
    with _running(command):
        yield


@contextmanager
def _running(command: Command) -> Iterator[Process]:
    if command.pid_file is not None:
        stop_orphan(command.pid_file)
    with Process(command) as process:
        process.wait_until_ready()
        yield process


@contextmanager
def pill_counter(stage: Stage, *, model: Path, images: Path | None) -> Iterator[None]:
    """Run the end user's app, on generated photos or on those of a folder."""
    places = stage.places
    chosen = ("--images", str(images.absolute())) if images is not None else ()
    command = Command(
        name="pill-counter",
        argv=stage.example(
            "app",
            *("--model", str(model), "--port", str(places.app_port), "--spool-dir", str(places.spool)),
            *("--url", places.server_url, "--api-key", stage.keys["app"], *chosen),
        ),
        working_dir=_ROOT,
        ready_url=places.app_url,
        log_file=places.folder / "app.log",
        pid_file=places.folder / "app.pid",
    )
    with _running(command):
        yield


def run_example(argv: Sequence[str]) -> None:
    """Run a module of the pill counter to its end; what it prints is shown."""
    try:
        subprocess.run(argv, cwd=_ROOT, check=True, env=dict(os.environ))
    except subprocess.CalledProcessError as error:
        raise ProcessError(f"{argv[2]} must end well, it ended with {error.returncode}") from error


def say(text: str) -> None:
    """Tell a person what is going on."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
