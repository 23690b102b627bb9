"""A deployment of several processes: PostgreSQL, Redis, two web processes, two workers, one Label Studio."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from redis import Redis

from feedback_sdk.types import Sample
from feedback_sdk.wire import canonical_json
from queue_server.local_label_studio import LocalLabelStudio
from queue_server.processes import Process, free_port
from tests import servers
from tests.e2e.installation import Inbox, Installation, label_studio_settings, project_text, wait_for
from tests.server.conftest import jpeg, prediction, sample

SAMPLES = 60
_SECRET = {"LOOKSWRONG_SECRET_KEY": "s" * 32}


class Deployment:
    """The running processes, and an app that speaks to both web processes."""

    def __init__(self, installation: Installation, inbox: Inbox, settings: Mapping[str, str]) -> None:
        self.inbox = inbox
        self.installation = installation
        installation.environment |= settings
        installation.say("migrate")
        headers = {"Authorization": f"Bearer {installation.apply_project(project_text(inbox.title))}"}
        self.workers = [installation.start("worker", "--processes", "1") for _ in range(2)]
        ports = [free_port(), free_port()]
        self.webs = [self._web(port) for port in ports]
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.clients = [httpx.Client(base_url=url, headers=headers, timeout=60.0, verify=False) for url in urls]

    def _web(self, port: int) -> Process:
        return self.installation.start("web", "--port", str(port), ready_url=f"http://127.0.0.1:{port}/readyz")

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def post(self, value: Sample, *, through: int, seed: int) -> int:
        """Post a sample and its rejection, both the same however often; return the status of the sample."""
        client = self.clients[through]
        files = {
            "sample": (None, canonical_json(value), "application/json"),
            "image": ("photo.jpg", jpeg(seed=seed), "image/jpeg"),
        }
        answer = client.post("/v1/samples", files=files)
        said = {"id": str(value.id), "sample_id": str(value.id), "verdict": "rejected", "reporter": "anna"}
        assert client.post("/v1/feedback", json=said).status_code == 202
        return answer.status_code

    def sample(self, sample_id: object, *, through: int = 0) -> dict:
        return self.clients[through].get(f"/v1/samples/{sample_id}").raise_for_status().json()

    def states(self) -> dict[str, str]:
        page = self.clients[1].get("/v1/samples", params={"limit": 1000}).raise_for_status().json()
        return {item["id"]: item["state"] for item in page["samples"]}


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory,
    label_studio: LocalLabelStudio,
    postgresql: servers.PostgreSQL,
    redis_server: str,
) -> Iterator[Deployment]:
    """Five servers that know of each other by their settings alone."""
    with Redis.from_url(redis_server) as client:
        client.flushall()
    inbox = Inbox(label_studio, f"deployed {datetime.now(UTC).timestamp():.6f}")
    with (
        postgresql.new_database() as database_url,
        Installation(tmp_path_factory.mktemp("deployment"), label_studio_settings(label_studio)) as installation,
    ):
        settings = {"LOOKSWRONG_DATABASE_URL": database_url, "LOOKSWRONG_BROKER_URL": redis_server}
        made = Deployment(installation, inbox, settings | _SECRET)
        yield made
        made.close()
    inbox.close()


def test_samples_from_many_threads_through_both_processes_are_stored_and_pushed_once(deployment: Deployment) -> None:
    values = [sample(prediction(0.9)) for _ in range(SAMPLES)]
    calls = [(number, through) for number in range(SAMPLES) for through in (0, 1, 0)]
    with ThreadPoolExecutor(6) as threads:
        statuses = list(
            threads.map(lambda call: deployment.post(values[call[0]], through=call[1], seed=call[0]), calls)
        )
    assert Counter(statuses) == {201: SAMPLES, 200: 2 * SAMPLES}
    pushed = {str(value.id): "pushed" for value in values}
    wait_for(lambda: deployment.states() == pushed)
    assert deployment.inbox.counts() == Counter(pushed.keys())
    entries = [deployment.sample(value.id)["history"] for value in values]
    assert {tuple(entry["state"] for entry in history) for history in entries} == {
        ("awaiting_feedback", "queued", "pushed")
    }


def test_either_process_shows_what_the_other_took(deployment: Deployment) -> None:
    value = sample(prediction(0.9))
    assert deployment.post(value, through=0, seed=1000) == 201
    found = deployment.sample(value.id, through=1)
    assert [item["verdict"] for item in found["feedback"]] == ["rejected"]
    signed = found["image_url"].partition("/v1/")[2]
    answers = [client.get(f"/v1/{signed}", headers={"Authorization": ""}) for client in deployment.clients]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_stopped_processes_end_in_peace_and_the_others_go_on(deployment: Deployment) -> None:
    for process in (deployment.webs[1], deployment.workers[1]):
        process.stop(grace_seconds=30)
        assert process.exit_code == 0, process.log_tail()
    value = sample(prediction(0.9))
    assert deployment.post(value, through=0, seed=1001) == 201
    wait_for(lambda: deployment.sample(value.id)["state"] == "pushed")
    assert deployment.inbox.counts()[str(value.id)] == 1


def _refused(installation: Installation, command: str, **environment: str) -> str:
    """Run a process that must not start, and return the one line that it says."""
    done = installation.run(command, **environment)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


_COMMANDS = pytest.mark.parametrize("command", ["web", "worker"])


@_COMMANDS
def test_process_without_a_secret_is_refused_although_the_schema_is_right(
    tmp_path: Path, postgres_url: str, command: str
) -> None:
    with Installation(tmp_path, {"LOOKSWRONG_DATABASE_URL": postgres_url}) as installation:
        installation.say("migrate")
        assert "LOOKSWRONG_SECRET_KEY must be set" in _refused(installation, command)


@_COMMANDS
def test_process_on_an_old_schema_is_refused_with_the_remedy(tmp_path: Path, postgres_url: str, command: str) -> None:
    with Installation(tmp_path, {"LOOKSWRONG_DATABASE_URL": postgres_url} | _SECRET) as installation:
        said = _refused(installation, command)
    assert "the schema must be at" in said
    assert said.endswith("got None: run `lookswrong migrate`")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"LOOKSWRONG_SECRET_KEY": "short"}, "must have at least 16 characters, got 5"),
        ({"LOOKSWRONG_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "the database must answer"),
        ({"LOOKSWRONG_DATABASE_URL": "no address"}, "LOOKSWRONG_DATABASE_URL must be"),
        ({"LOOKSWRONG_DATABASE_URL": "mysql://127.0.0.1/none"}, "LOOKSWRONG_DATABASE_URL must be"),
    ],
)
def test_wrong_setting_is_said_in_one_line(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    with Installation(tmp_path, _SECRET | environment) as installation:
        assert message in _refused(installation, "web")


def test_worker_without_a_broker_is_refused(tmp_path: Path) -> None:
    with Installation(tmp_path, _SECRET) as installation:
        installation.say("migrate")
        assert "LOOKSWRONG_BROKER_URL must be set" in _refused(installation, "worker")
