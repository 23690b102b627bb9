"""Servers are upgraded before SDKs: what a released version sends is taken for ever.

Never edit a recording, and never delete one: apps in the field send it. A release adds a folder of its own
(`python -m tests.contract.record VERSION`). A test that fails here has found a server that would refuse those apps.
"""

import hashlib
import json
from collections.abc import Iterator

import httpx
import pytest

from queue_server.auth import Scope, keep_key
from queue_server.backend import Backend
from queue_server.store.engine import writing
from tests.contract.recordings import DIGESTS, FOLDER, TASKS, Recording, key_of, recorded, versions
from tests.server.conftest import NOW, PROJECT, Server, apply_project, run_server


def install(backend: Backend) -> None:
    """Make a project for each kind of task, with the key that its recordings were made with."""
    for task in TASKS:
        text = PROJECT.replace("pill-counter", task).replace("task: detection", f"task: {task}")
        project = apply_project(backend, text)
        with writing(backend.engine) as session:
            keep_key(
                session,
                project,
                api_key=key_of(task),
                scopes=[Scope.INGEST, Scope.READ],
                secret_keys=backend.settings.secret_keys,
                now=NOW,
            )


@pytest.fixture
def replayed(backend: Backend) -> Iterator[Server]:
    """A server on each database that knows the projects and the keys of the recordings."""
    install(backend)
    yield from run_server(backend, project_text=None)


def send(server: Server, recording: Recording) -> httpx.Response:
    bearer = key_of(recording.task) if recording.bearer == "key" else recording.bearer
    headers = dict(recording.headers) | ({} if bearer == "none" else {"Authorization": f"Bearer {bearer}"})
    return server.open.request(recording.method, recording.path, content=recording.body, headers=headers)


def value_at(document: object, path: str) -> object:
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def faults(recording: Recording, answer: httpx.Response) -> Iterator[str]:
    """Say what of the answer is not what its sender relies on."""
    if answer.status_code != recording.status:
        yield f"{recording.name}: status {answer.status_code}, must be {recording.status}: {answer.text}"
        return
    document = answer.json()
    for path, expected in recording.answer.items():
        try:
            came = value_at(document, path)
        except (KeyError, IndexError):
            yield f"{recording.name}: {path} must be there, got {document}"
            continue
        if expected is not None and came != expected:
            yield f"{recording.name}: {path} must be {expected}, got {came}"


@pytest.mark.parametrize("version", versions())
def test_all_that_a_version_sends_is_taken(replayed: Server, version: str) -> None:
    found = [fault for recording in recorded(version) for fault in faults(recording, send(replayed, recording))]
    assert found == []


@pytest.mark.parametrize("version", versions())
def test_no_recording_was_changed(version: str) -> None:
    """Never edit one: add a new folder per version."""
    folder = FOLDER / version
    listed = dict(reversed(line.split("  ")) for line in (folder / DIGESTS).read_text().splitlines())
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.json")}
    assert found == listed


def test_first_version_is_recorded() -> None:
    assert "0.1" in versions()


@pytest.mark.parametrize("version", versions())
def test_recordings_hold_every_call_of_the_sdk_and_no_key(version: str) -> None:
    recordings = recorded(version)
    calls = {(recording.method, recording.path.partition("?")[0]) for recording in recordings}
    posted = {path for method, path in calls if method == "POST"}
    assert posted == {"/v1/samples", "/v1/samples/batch", "/v1/samples/wanted", "/v1/feedback"}
    assert {method for method, _ in calls} == {"GET", "POST", "PUT"}
    assert not [recording for recording in recordings if "Authorization" in recording.headers]
    assert {recording.task for recording in recordings} == set(TASKS)


def test_recording_is_read_as_it_was_written(tmp_path) -> None:
    from tests.contract.recordings import read, write

    for recording in recorded("0.1"):
        write(recording, tmp_path)
        assert read(tmp_path / f"{recording.name}.json") == recording
    assert json.loads(next(tmp_path.glob("*full.json")).read_text())["status"] == 201
