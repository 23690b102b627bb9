"""A server as people install it: a folder, an environment, and real `lookswrong` processes that a test starts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx

from feedback_sdk import FeedbackClient, Prediction
from queue_server.local_label_studio import LocalLabelStudio
from queue_server.processes import Command, Process, free_port
from tests.server.conftest import PROJECT, jpeg, prediction

T = TypeVar("T")

_LOOKSWRONG = (sys.executable, "-m", "queue_server")


class Installation:
    """One `DATA_DIR` with its settings; as a context manager it leaves no process."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = {"LOOKSWRONG_DATA_DIR": str(folder / "data"), **environment}
        self._started: list[Process] = []
        self._clients: list[httpx.Client | FeedbackClient] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        for process in reversed(self._started):
            process.stop(grace_seconds=20)
        for group in self.children().values():  # what a supervisor that failed or was killed left
            _kill_group(group)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*_LOOKSWRONG, *arguments],
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def say(self, *arguments: str, **environment: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self, *arguments: str, ready_url: str | None = None, **environment: str) -> Process:
        """Start a process that stays, and wait until it is ready."""
        command = Command(
            name=arguments[0],
            argv=(*_LOOKSWRONG, *arguments),
            environment={**self.environment, **environment},
            ready_url=ready_url,
            log_file=self.folder / f"{arguments[0]}-{len(self._started)}.log",
        )
        self._started.append(Process(command))
        self._started[-1].wait_until_ready()
        return self._started[-1]

    def serve(self) -> Process:
        """Start `lookswrong serve` and wait until it says that it can work."""
        process = self.start("serve", "--port", str(self.port), ready_url=f"{self.url}/readyz")
        wait_for(lambda: "Looks Wrong is ready" in process.log_tail(lines=200))
        return process

    def children(self) -> dict[str, int]:
        """Return the process groups that `serve` started, by name."""
        files = (self.folder / "data" / "run").glob("*.pid")
        return {file.stem: int(json.loads(file.read_text())["pid"]) for file in files}

    def apply_project(self, text: str = PROJECT) -> str:
        """Apply a project and return a key that may ingest and read."""
        file = self.folder / "project.yaml"
        file.write_text(text)
        self.say("project", "apply", str(file))
        return self.say("key", "create", "--scope", "ingest", "--scope", "read")

    def open_sdk(self, key: str) -> FeedbackClient:
        self._clients.append(FeedbackClient(self.url, key, spool_dir=self.folder / "spool"))
        return self._clients[-1]

    def open_http(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        self._clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=30.0, verify=False))
        return self._clients[-1]


class Inbox:
    """A project in Label Studio, by its title, as its annotators see it."""

    def __init__(self, label_studio: LocalLabelStudio, title: str) -> None:
        self._api = httpx.Client(
            base_url=label_studio.url,
            headers={"Authorization": f"Token {label_studio.api_key}"},
            timeout=30.0,
            verify=False,
        )
        self.title = title

    def close(self) -> None:
        self._api.close()

    def tasks(self) -> list[dict]:
        """Return the project's tasks; none before the first push made the project."""
        found = self._get("/api/projects/", title=self.title)["results"]
        if not found:
            return []
        return self._get("/api/tasks/", project=found[0]["id"], page_size=1000, fields="all")["tasks"]

    def counts(self) -> Counter[str]:
        """Return how many tasks each sample has."""
        return Counter(task["data"]["sample_id"] for task in self.tasks())

    def task_of(self, sample_id: str) -> dict | None:
        return next((task for task in self.tasks() if task["data"]["sample_id"] == sample_id), None)

    def annotate(self, task: dict) -> None:
        """Annotate a task as its pre-annotation says."""
        result = task["predictions"][0]["result"]
        answer = self._api.post(f"/api/tasks/{task['id']}/annotations/", json={"result": result, "lead_time": 4.0})
        answer.raise_for_status()

    def _get(self, path: str, **query: object) -> dict:
        return self._api.get(path, params=query).raise_for_status().json()


def label_studio_settings(label_studio: LocalLabelStudio) -> dict[str, str]:
    """Return the settings of a server that works with this Label Studio, at a pace for tests."""
    return {
        "LOOKSWRONG_LABEL_STUDIO_URL": label_studio.url,
        "LOOKSWRONG_LABEL_STUDIO_API_KEY": label_studio.api_key,
        "LOOKSWRONG_DECIDE_EVERY_SECONDS": "0.5",
        "LOOKSWRONG_PUSH_EVERY_SECONDS": "0.5",
        "LOOKSWRONG_PULL_HINT_EVERY_SECONDS": "0.5",
        # what comes back sooner came by a webhook's hint
        "LOOKSWRONG_PULL_EVERY_SECONDS": "600",
    }


def project_text(title: str, *, window: str = "24h") -> str:
    """Return a project file with a Label Studio project of its own."""
    return PROJECT.replace("24h", window) + f'label_studio: {{project: "{title}"}}\n'


def capture(client: FeedbackClient, *, seed: int = 0, said: Prediction | None = None, is_rejected: bool = True) -> str:
    """Capture a sample as an app does, and say that it is wrong."""
    sample_id = client.log_prediction(jpeg(seed=seed), said or prediction(0.9))
    assert sample_id is not None
    if is_rejected:
        assert client.reject(sample_id, reporter="anna") is not None
    return sample_id


def wait_for(condition: Callable[[], T], *, seconds: float = 45.0) -> T:
    """Return what the condition says as soon as it holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
    return found


def is_group_running(group: int) -> bool:
    """Say whether a process group still has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _kill_group(group: int) -> None:
    if is_group_running(group):
        os.killpg(group, signal.SIGKILL)
