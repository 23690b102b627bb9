"""Figures for Prometheus: what is counted, and that many processes count together."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from queue_server import meters
from queue_server.app import create_app
from queue_server.backend import Backend, open_backend
from queue_server.processes import Command, Process, free_port
from queue_server.settings import Settings
from queue_server.supervisor import web_argv, worker_argv
from tests.server.alerts import BACKLOG, Watched
from tests.server.conftest import Server, apply_project, jpeg, sample

ROOT = Path(__file__).parents[2]
#: a project with a budget, so that there is something to spend
BUDGETED = """
project: pill-counter
task: detection
labels: [pill, capsule]
budget: {per_day: 5}
rules: [{strategy: user_rejected}, {strategy: random, rate: 0.0}]
"""


def figure(text: str, name: str, **labels: str) -> float:
    """Return the sum of a metric over the lines that have these labels."""
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name and labels.items() <= one.labels.items()
    )


def test_request_is_counted_by_its_route_and_not_by_its_path(server: Server) -> None:
    labels = {"endpoint": "/v1/samples/<uuid:sample_id>", "status": "404"}
    before = figure(server.open.get("/metrics").text, "lookswrong_http_requests_total", **labels)
    server.read.get(f"/v1/samples/{sample().id}")
    after = figure(server.open.get("/metrics").text, "lookswrong_http_requests_total", **labels)
    assert after - before == 1


def test_path_and_method_that_anybody_makes_up_have_one_count(server: Server) -> None:
    server.open.request("BREW", "/coffee")
    text = server.open.get("/metrics").text
    assert "BREW" not in text
    assert "coffee" not in text


def test_decision_is_counted_with_its_reason(server: Server) -> None:
    labels = {"project": "pill-counter", "state": "queued", "reason": "user_rejected"}
    before = figure(server.open.get("/metrics").text, "lookswrong_decisions_total", **labels)
    value = sample()
    server.post(value, jpeg())
    server.say(value.id, "rejected")
    text = server.open.get("/metrics").text
    assert figure(text, "lookswrong_decisions_total", **labels) - before == 1
    assert figure(text, "lookswrong_queue_backlog", state="queued") == 1


def test_budget_tells_what_was_spent(server: Server) -> None:
    apply_project(server.backend, BUDGETED)
    value = sample()
    server.post(value, jpeg())
    server.say(value.id, "rejected")
    text = server.open.get("/metrics").text
    assert figure(text, "lookswrong_budget_tasks", account="all", period="day") == 1


def test_alert_that_fires_is_told(server: Server) -> None:
    watched = Watched(server.backend, BACKLOG % "")
    assert 'lookswrong_alert_firing{alert="long",project="pill-counter"} 0.0' in server.open.get("/metrics").text
    watched.object(2)
    watched.look()
    assert figure(server.open.get("/metrics").text, "lookswrong_alert_firing", alert="long") == 1


def test_database_that_is_away_costs_its_own_figures_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://127.0.0.1:1/none", secret_key="s" * 32)
    answer = create_app(open_backend(settings)).test_client().get("/metrics")
    assert answer.status_code == 200
    assert 'lookswrong_up{part="database"} 0.0' in answer.text
    assert 'lookswrong_up{part="blobs"} 1.0' in answer.text


def test_half_written_counts_are_started_anew(tmp_path: Path) -> None:
    torn = tmp_path / "counter_0.db"
    torn.write_bytes(b"\xff\xff\x00\x00")
    meters._mend(torn)
    assert list(meters.MmapedDict.read_all_values_from_file(str(torn))) == []


class Machine:
    """Two web processes and a worker with two of its own, that count together."""

    def __init__(self, folder: Path, backend: Backend, broker_url: str) -> None:
        self.folder = folder / "meters"
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        environment = {
            "LOOKSWRONG_DATA_DIR": str(backend.settings.data_dir),
            "LOOKSWRONG_SECRET_KEY": backend.settings.secret_key,
            "LOOKSWRONG_BROKER_URL": broker_url,
            "LOOKSWRONG_DECIDE_EVERY_SECONDS": "0.2",
            "LOOKSWRONG_WORKER_METRICS_PORT": str(worker_port := free_port()),
            meters.FOLDER_VARIABLE: str(self.folder),
        }
        web, worker = web_argv(host="127.0.0.1", port=port, processes=2), worker_argv()
        # A process of its own: with the worker's own schedule killed the worker ends, to be started again by others.
        beat = (*worker[: worker.index("worker")], "beat", "--schedule", str(folder / "schedule"))
        self.worker_url = f"http://127.0.0.1:{worker_port}"
        ready = f"{self.url}/healthz"
        self.children = [
            Process(Command(name="web", argv=web, environment=environment, log_file=folder / "w", ready_url=ready)),
            Process(Command(name="worker", argv=worker, environment=environment, log_file=folder / "j")),
            Process(Command(name="beat", argv=beat, environment=environment, log_file=folder / "b")),
        ]

    def figure(self, name: str, **labels: str) -> float:
        """Ask whichever process takes the call."""
        return figure(httpx.get(f"{self.url}/metrics", timeout=30).text, name, **labels)

    def kill_a_process_of(self, child: Process) -> None:
        """Kill the one that was forked last, as the kernel does when memory is short."""
        listed = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        os.kill(int(listed[-1]), signal.SIGKILL)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path, redis_server: str) -> Iterator[Machine]:
    """All of it, on SQLite."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "lookswrong.db").write_bytes(migrated_file.read_bytes())
    backend = open_backend(Settings(data_dir=folder, secret_key="s" * 32))
    apply_project(backend)
    backend.engine.dispose()
    running = Machine(folder, backend, redis_server)
    try:
        running.children[0].wait_until_ready()
        yield running
    finally:
        for child in reversed(running.children):
            child.stop()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def ask(machine: Machine, times: int) -> None:
    """Ask so often, by a connection of its own each time, so that both processes are met."""
    for _ in range(times):
        httpx.get(f"{machine.url}/healthz", timeout=30)


def test_counts_of_all_processes_add_up_whoever_answers(machine: Machine) -> None:
    before = machine.figure("lookswrong_http_requests_total", endpoint="/healthz")
    ask(machine, 20)
    found = {machine.figure("lookswrong_http_requests_total", endpoint="/healthz") for _ in range(6)}
    assert found == {before + 20}


def test_figures_of_the_moment_are_not_kept_with_the_counts(machine: Machine) -> None:
    assert machine.figure("lookswrong_up", part="database") == 1
    assert machine.figure("lookswrong_up", part="database") == 1
    assert {file.name.partition("_")[0] for file in machine.folder.glob("*.db")} == {"counter", "histogram"}


def test_jobs_of_the_worker_are_told_by_the_web_process(machine: Machine) -> None:
    wait_for(lambda: machine.figure("lookswrong_jobs_total", job="decide_due", outcome="done") >= 3)
    assert machine.figure("lookswrong_job_seconds_count", job="decide_due") >= 3


def test_worker_on_a_machine_of_its_own_tells_of_its_jobs(machine: Machine) -> None:
    wait_for(lambda: machine.figure("lookswrong_jobs_total", job="decide_due") >= 3)
    text = httpx.get(f"{machine.worker_url}/metrics", timeout=30).text
    assert figure(text, "lookswrong_jobs_total", job="decide_due") >= 3


@pytest.mark.parametrize("which", [0, 1], ids=["web", "worker"])
def test_counts_survive_a_killed_process_and_its_files_are_taken_over(machine: Machine, which: int) -> None:
    wait_for(lambda: machine.figure("lookswrong_jobs_total", job="decide_due") >= 3)
    names = ("lookswrong_http_requests_total", "lookswrong_jobs_total")
    before = [machine.figure(name) for name in names]
    files = len(list(machine.folder.glob("*.db")))
    for _ in range(2):
        machine.kill_a_process_of(machine.children[which])
        time.sleep(0.5)
        ask(machine, 5)
    wait_for(lambda: all(machine.figure(name) > old for name, old in zip(names, before, strict=True)))
    assert len(list(machine.folder.glob("*.db"))) <= files + 4


def named_in(dashboard: str) -> set[str]:
    """Return the metrics that a dashboard's queries name."""
    queries = re.findall(r'"(?:expr|query)": "((?:[^"\\]|\\.)*)"', dashboard)
    return {name for query in queries for name in re.findall(r"\blookswrong_\w+", query)}


def test_every_query_of_the_dashboard_names_a_metric_that_a_server_serves(machine: Machine) -> None:
    wait_for(lambda: machine.figure("lookswrong_jobs_total") > 0)
    families = text_string_to_metric_families(httpx.get(f"{machine.url}/metrics", timeout=30).text)
    kinds = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    served = {family.name + end for family in families for end in kinds[family.type]}
    known = served | {f"{name}_total" for name in ("lookswrong_label_studio", "lookswrong_label_studio_failures")}
    asked = named_in((ROOT / "grafana" / "looks-wrong.json").read_text())
    assert len(asked) > 10
    assert asked <= known | {"lookswrong_decisions_total"}


def test_dashboard_shows_every_metric_and_its_panels_do_not_overlap() -> None:
    dashboard = json.loads((ROOT / "grafana" / "looks-wrong.json").read_text())
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells))
    documented = set(re.findall(r"`(lookswrong_\w+)", (ROOT / "docs" / "operations.md").read_text()))
    asked = {re.sub("_bucket$", "", name) for name in named_in(json.dumps(dashboard))}
    assert asked == documented
