"""Run a Label Studio of our own, for the demo, the tests and whoever has none yet.

It lives in a virtual environment of its own, `.venv-label-studio`, because its pins do not fit ours. A first start
takes half a minute and more (migrations); set-up makes one initialised data directory, the template, and a copy of
it starts in seconds. Standard library only: set-up imports this before anything is installed.
"""

import json
import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from queue_server.errors import ProcessError
from queue_server.processes import Command, Process, free_port, is_port_free, stop_orphan

COMMAND_VARIABLE = "LOOKSWRONG_LABEL_STUDIO_COMMAND"
_ENVIRONMENT_NAME = ".venv-label-studio"
_CREDENTIALS_NAME = "credentials.json"
#: in a template: the key it was made for; written last, so a half-made template has none
_KEY_NAME = "template.key"
_ATTEMPTS = 3

_ALWAYS = {
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LATEST_VERSION_CHECK": "false",
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    # else it refuses to send webhooks to private addresses
    "USE_DEFAULT_BANNED_SUBNETS": "false",
    # else it stores pre-annotations that do not fit the label config, silently
    "fflag_feat_utc_210_prediction_validation_15082025": "true",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """The account that a Label Studio of ours is made with; `api_key` is its legacy token."""

    email: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)


class LocalLabelStudio:
    """A Label Studio on 127.0.0.1, as a context manager.

    `data_dir` is used as it is when it holds one already; an empty one starts from the template. On PostgreSQL
    (`database_url`) the template cannot serve, so the first start takes about a minute.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        database_url: str | None = None,
        environment: Mapping[str, str] | None = None,
        ready_seconds: float = 240.0,
    ) -> None:
        """Prepare it; nothing runs yet. `port` None: a free one is chosen at the start."""
        self.data_dir = data_dir.absolute()
        self._wanted_port = port
        self._port: int | None = port
        self._database_url = database_url
        self._environment = dict(environment or {})
        self._ready_seconds = ready_seconds
        self._credentials: Credentials | None = None
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return its address; ProcessError before the first start if no port was given."""
        if self._port is None:
            raise ProcessError("Label Studio must be started before it has an address, got none")
        return f"http://127.0.0.1:{self._port}"

    @property
    def api_key(self) -> str:
        """Return the legacy token of its account."""
        return self._account.api_key

    @property
    def email(self) -> str:
        """Return the name to log in with."""
        return self._account.email

    @property
    def password(self) -> str:
        """Return the password to log in with."""
        return self._account.password

    @property
    def pid(self) -> int | None:
        """Return its process id, or None while it does not run."""
        return None if self._process is None else self._process.pid

    @property
    def log_file(self) -> Path:
        """Return where it writes its log."""
        return self.data_dir / "label-studio.log"

    @property
    def pid_file(self) -> Path:
        """Return the file by which a later owner finds it."""
        return self.data_dir / "label-studio.pid"

    def start(self) -> None:
        """Start it and wait until it answers; ProcessError with the log's end if it does not."""
        if self._process is not None:
            raise ProcessError(f"Label Studio must be stopped before it is started, got one at {self.url}")
        program = find_command()
        stop_orphan(self.pid_file)
        self._credentials = _prepare(self.data_dir, template=None if self._database_url else find_template(program))
        for _ in range(_ATTEMPTS):
            if self._start_once(program):
                return
        raise ProcessError(f"Label Studio must get port {self._port}, but it was taken {_ATTEMPTS} times")

    def stop(self) -> None:
        """Stop it; nothing happens if it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def _account(self) -> Credentials:
        if self._credentials is None:
            raise ProcessError("Label Studio must be started before it has an account, got none")
        return self._credentials

    def _start_once(self, program: Path) -> bool:
        """Start it; False if another process took the port meanwhile, as it then silently takes the next one."""
        self._port = self._wanted_port or free_port()
        if not is_port_free(self._port):
            raise ProcessError(f"port {self._port} must be free for Label Studio, but something listens on it")
        process = Process(self._command(program))
        try:
            process.wait_until_ready(timeout_seconds=self._ready_seconds)
            has_moved = "Trying to start at" in self.log_file.read_text(errors="replace")
        except BaseException:
            process.stop()
            raise
        if has_moved:
            process.stop()
            return False
        self._process = process
        return True

    def _command(self, program: Path) -> Command:
        options = ("start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(self._port))
        account = {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.data_dir),
            "LABEL_STUDIO_USERNAME": self.email,
            "LABEL_STUDIO_PASSWORD": self.password,
            "LABEL_STUDIO_USER_TOKEN": self.api_key,
        }
        database = {} if self._database_url is None else _database_environment(self._database_url)
        return Command(
            name="Label Studio",
            argv=(str(program), *options),
            environment=_ALWAYS | account | database | self._environment,
            ready_url=f"{self.url}/health",
            log_file=self.log_file,
            pid_file=self.pid_file,
            working_dir=self.data_dir,
        )


def find_command() -> Path:
    """Return the `label-studio` program; ProcessError with the remedy if there is none."""
    named = os.environ.get(COMMAND_VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise ProcessError(f"{COMMAND_VARIABLE} must name a program, got {named}")
        return Path(named)
    for root in (Path(sys.prefix).parent, Path(__file__).absolute().parents[1]):
        program = root / _ENVIRONMENT_NAME / "bin" / "label-studio"
        if program.exists():
            return program
    found = shutil.which("label-studio")
    if found is None:
        raise ProcessError(
            "Label Studio must be installed, found none: run `python3 scripts/setup.py label-studio` in a checkout, "
            f"or `pip install label-studio` in an environment of its own and set {COMMAND_VARIABLE} to its program"
        )
    return Path(found)


def find_template(program: Path) -> Path | None:
    """Return the initialised data directory beside this program's environment, if set-up made one."""
    template = program.parent.parent / "template-data"
    return template if (template / _KEY_NAME).exists() else None


def is_template_for(template: Path, *, key: str) -> bool:
    """Say whether the template is whole and was made for this key (the hash of the lock file)."""
    key_file = template / _KEY_NAME
    return key_file.exists() and key_file.read_text() == key


def make_template(template: Path, *, key: str) -> None:
    """Make the initialised data directory that later starts copy; an older one is replaced."""
    draft = template.with_name(template.name + ".new")
    for old in (draft, template):
        shutil.rmtree(old, ignore_errors=True)
    with LocalLabelStudio(draft) as server:
        log_file = server.log_file
    log_file.unlink()
    (draft / _KEY_NAME).write_text(key)
    draft.rename(template)


def _prepare(data_dir: Path, *, template: Path | None) -> Credentials:
    """Fill an empty data directory and return its account."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if template is not None and not any(data_dir.iterdir()):
        shutil.copytree(template, data_dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns(_KEY_NAME))
    file = data_dir / _CREDENTIALS_NAME
    if file.exists():
        return Credentials(**json.loads(file.read_text()))
    credentials = Credentials(
        email="annotator@example.com", password=secrets.token_urlsafe(18), api_key=secrets.token_hex(20)
    )
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(credentials)))
    return credentials


def _database_environment(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgresql"):
        raise ProcessError(f"database_url must be postgresql://…, got {parts.scheme}://…")
    return {
        "DJANGO_DB": "default",
        "POSTGRE_NAME": parts.path.strip("/"),
        "POSTGRE_USER": unquote(parts.username or ""),
        "POSTGRE_PASSWORD": unquote(parts.password or ""),
        "POSTGRE_HOST": parts.hostname or "127.0.0.1",
        "POSTGRE_PORT": str(parts.port or 5432),
    }
