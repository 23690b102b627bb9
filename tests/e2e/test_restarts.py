"""Whatever dies in the middle: every sample is there once, and every queued one has exactly one task."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis

from queue_server.local_label_studio import LocalLabelStudio
from queue_server.processes import Process, free_port
from tests import servers
from tests.e2e.installation import Inbox, Installation, capture, label_studio_settings, project_text, wait_for

#: Small batches and short leases, so that a kill comes in the middle and what was held is free again soon; but a
#: lease must outlast an import, and a worker's first one takes seconds.
_PACE = {"LOOKSWRONG_PUSH_BATCH": "2", "LOOKSWRONG_LEASE_SECONDS": "8"}


class Site:
    """A server, its app and a Label Studio, all of which tests may kill."""

    def __init__(self, installation: Installation, label_studio: LocalLabelStudio) -> None:
        self.installation = installation
        self.label_studio = label_studio
        self.inbox = Inbox(label_studio, "restarts")
        self.key = installation.apply_project(project_text("restarts"))
        self.supervisor: Process = installation.serve()
        self.app = installation.open_sdk(self.key)
        self.http = installation.open_http(self.key)
        self.posted: list[str] = []

    def capture(self, count: int) -> None:
        """Capture rejected samples, each with an image of its own."""
        self.posted += [capture(self.app, seed=len(self.posted) + number) for number in range(count)]

    def states(self) -> dict[str, str]:
        """Return the state of every sample on the server; a sample that is there twice is an error."""
        page = self.http.get("/v1/samples", params={"limit": 1000}).raise_for_status().json()
        found = page["samples"]
        assert len({item["id"] for item in found}) == len(found)
        return {item["id"]: item["state"] for item in found}

    def are_all_pushed(self) -> bool:
        states = self.states()
        return all(states.get(sample_id) == "pushed" for sample_id in self.posted)

    def kill(self, child: str, kill: Callable[[int, int], None] = os.kill) -> None:
        """Kill a child of the supervisor, and wait until it is there again."""
        old = self.installation.children()[child]
        kill(old, signal.SIGKILL)
        wait_for(lambda: self.installation.children().get(child, old) != old)

    def check(self) -> None:
        """Check that nothing was lost or doubled."""
        assert self.app.flush(60)
        stats = self.app.stats()
        assert (stats.sent, stats.dropped) == (stats.accepted, {})
        self.app.close()
        assert list((self.installation.folder / "spool").rglob("*")) == []
        self.app = self.installation.open_sdk(self.key)
        wait_for(self.are_all_pushed, seconds=60)
        assert sorted(self.states()) == sorted(self.posted)
        assert self.inbox.counts() == Counter(self.posted)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server and a Label Studio for this module alone."""
    folder = tmp_path_factory.mktemp("restarts")
    with servers.label_studio(folder / "label-studio", port=free_port()) as label_studio:
        settings = label_studio_settings(label_studio) | _PACE
        with Installation(folder, settings) as installation:
            made = Site(installation, label_studio)
            yield made
        made.inbox.close()


def _begin_push(site: Site) -> None:
    """Capture samples, and more of them, until the first are pushed: the rest then are on their way."""
    before = len(site.inbox.counts())
    site.capture(12)

    def are_some_pushed() -> bool:
        site.capture(1)
        return before < len(site.inbox.counts()) < len(site.posted)

    wait_for(are_some_pushed)


def test_web_process_killed_while_samples_come(site: Site) -> None:
    site.capture(30)
    wait_for(lambda: len(site.states()) >= 2)
    assert len(site.states()) < 30
    site.kill("web")
    site.check()


def test_worker_killed_with_its_children_while_it_pushes(site: Site) -> None:
    _begin_push(site)
    site.kill("worker", os.killpg)
    site.check()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells a process's children in /proc")
def test_children_of_the_worker_killed(site: Site) -> None:
    _begin_push(site)
    worker = site.installation.children()["worker"]
    for child in Path(f"/proc/{worker}/task/{worker}/children").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    # Celery replaces those that work, not the one that sends the schedule: the worker ends, and is started again.
    wait_for(lambda: site.installation.children().get("worker", worker) != worker)
    site.capture(2)
    site.check()


def test_supervisor_killed_and_followed_by_a_new_one(site: Site) -> None:
    _begin_push(site)
    os.kill(site.supervisor.pid, signal.SIGKILL)
    site.capture(3)
    site.supervisor = site.installation.serve()
    site.check()


def test_broker_flushed_and_killed(site: Site) -> None:
    folder = site.installation.folder / "data" / "broker"
    port, password = ((folder / name).read_text() for name in ("port", "password"))
    site.capture(6)
    with Redis(port=int(port), password=password) as client:
        client.flushall()
    site.kill("broker")
    site.capture(6)
    site.check()


def test_label_studio_away_while_samples_are_queued(site: Site) -> None:
    _begin_push(site)
    site.label_studio.stop()
    site.capture(4)
    assert site.app.flush(60)
    readiness = site.http.get("/readyz").json()
    assert (readiness["status"], readiness["parts"]["label_studio"]["status"]) == ("degraded", "degraded")
    site.label_studio.start()
    site.check()
