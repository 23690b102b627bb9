"""`lookswrong serve` on embedded defaults: the whole loop by itself, and nothing left behind."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest

from feedback_sdk import FeedbackClient
from queue_server.local_label_studio import LocalLabelStudio
from tests.e2e.installation import (
    Inbox,
    Installation,
    capture,
    is_group_running,
    label_studio_settings,
    project_text,
    wait_for,
)
from tests.server.conftest import prediction


class Served:
    """A running server with an app that uses it and an annotator's view."""

    def __init__(self, installation: Installation, inbox: Inbox, key: str) -> None:
        self.url = installation.url
        self.inbox = inbox
        self.app: FeedbackClient = installation.open_sdk(key)
        self.http = installation.open_http(key)

    def sample(self, sample_id: str) -> dict:
        return self.http.get(f"/v1/samples/{sample_id}").raise_for_status().json()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, label_studio: LocalLabelStudio) -> Iterator[Served]:
    """A server with a confirmation window of two seconds, from settings of Label Studio alone."""
    title = f"served {datetime.now(UTC).timestamp():.6f}"
    inbox = Inbox(label_studio, title)
    with Installation(tmp_path_factory.mktemp("serve"), label_studio_settings(label_studio)) as installation:
        key = installation.apply_project(project_text(title, window="2s"))
        installation.serve()
        yield Served(installation, inbox, key)
    inbox.close()


def test_server_is_ready_with_every_part(served: Served) -> None:
    answer = httpx.get(f"{served.url}/readyz", verify=False)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert {part["status"] for part in answer.json()["parts"].values()} == {"ok"}


def test_rejected_sample_reaches_the_annotators_by_itself(served: Served) -> None:
    sample_id = capture(served.app, seed=1)
    task = wait_for(lambda: served.inbox.task_of(sample_id))
    assert (task["data"]["reason"], task["data"]["inbox"]) == ("user_rejected", "yes")
    assert len(task["predictions"][0]["result"]) >= 1
    wait_for(lambda: served.sample(sample_id)["state"] == "pushed")


def test_unsure_sample_reaches_the_annotators_after_its_window(served: Served) -> None:
    sample_id = capture(served.app, seed=2, said=prediction(0.3), is_rejected=False)
    task = wait_for(lambda: served.inbox.task_of(sample_id))
    assert task["data"]["reason"] == "unconfirmed_low_confidence"
    states = [entry["state"] for entry in served.sample(sample_id)["history"]]
    assert states[:2] == ["awaiting_feedback", "queued"]


def test_confident_sample_that_nobody_doubts_reaches_no_annotator(served: Served) -> None:
    sample_id = capture(served.app, seed=3, is_rejected=False)
    assert served.app.flush()
    wait_for(lambda: served.sample(sample_id)["reason"] == "affirmed")
    assert served.inbox.task_of(sample_id) is None


def test_annotation_comes_back_by_itself(served: Served) -> None:
    sample_id = capture(served.app, seed=4)
    served.inbox.annotate(wait_for(lambda: served.inbox.task_of(sample_id)))
    found = wait_for(lambda: _annotated(served, sample_id), seconds=20)
    assert [len(item["annotation"]["boxes"]) for item in found["annotations"]] == [1]


def test_annotators_browser_gets_the_image(served: Served) -> None:
    sample_id = capture(served.app, seed=5)
    task = wait_for(lambda: served.inbox.task_of(sample_id))
    answer = httpx.get(task["data"]["image"], headers={"Origin": "http://label-studio"}, verify=False)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@dataclass(frozen=True, kw_only=True)
class Plain:
    """What a server with nothing set was while it ran, and what it left."""

    readiness: httpx.Response
    groups: dict[str, int]
    exit_code: int | None
    log: str


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """A server with nothing set but its folder, stopped by SIGTERM."""
    with Installation(tmp_path_factory.mktemp("plain"), {}) as installation:
        process = installation.serve()
        readiness, groups = httpx.get(f"{installation.url}/readyz", verify=False), installation.children()
        os.kill(process.pid, signal.SIGTERM)
        wait_for(lambda: process.exit_code is not None)
        assert installation.children() == {}
        return Plain(readiness=readiness, groups=groups, exit_code=process.exit_code, log=process.log_tail(lines=1000))


def test_nothing_set_is_enough_to_be_ready(plain: Plain) -> None:
    assert (plain.readiness.status_code, plain.readiness.json()["status"]) == (200, "degraded")
    parts = {name: part["status"] for name, part in plain.readiness.json()["parts"].items()}
    assert parts == {"database": "ok", "blobs": "ok", "broker": "ok", "label_studio": "degraded"}


def test_stop_ends_all_that_serve_started(plain: Plain) -> None:
    assert sorted(plain.groups) == ["broker", "web", "worker"]
    assert [name for name, group in plain.groups.items() if is_group_running(group)] == []
    assert plain.exit_code == 0
    assert "Traceback" not in plain.log


def _annotated(served: Served, sample_id: str) -> dict | None:
    found = served.sample(sample_id)
    return found if found["state"] == "annotated" else None
