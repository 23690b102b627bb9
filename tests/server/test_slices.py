"""Slices over the wire, by command, and in reports."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from queue_server.backend import Backend
from queue_server.core.slices import Slice, read_slice
from queue_server.errors import PolicyError
from queue_server.reports import Narrowed, SlicesReport, make_report, slices_report
from queue_server.store import slices
from queue_server.store.engine import reading, writing
from tests.server.clock import HEAD, Clock
from tests.server.conftest import NOW, Server, apply_project
from tests.server.test_reports import DAY, LATER, annotate, arrive, report, settle

ALL = "  - {strategy: random, rate: 1.0}\n"
NIGHT = "tags has 'night'"
Made = Callable[[str], Clock]


def keep(clock: Clock, found: Slice) -> bool:
    with writing(clock.backend.engine) as session:
        return slices.keep(session, clock.project_id, found, now=NOW)


def sliced(clock: Clock, **narrowed: object) -> SlicesReport:
    with reading(clock.backend.engine) as session:
        return slices_report(session, Narrowed(**narrowed), project_id=clock.project_id, now=LATER)


def night_and_day(clock: Clock, night: int, day: int) -> None:
    """Let samples come: of the night all wrong, of the day all right."""
    bad, good = arrive(clock, night, tags=["night"], metadata={"site": "north"}), arrive(clock, day)
    settle(clock)
    annotate(clock, bad, right=False)
    annotate(clock, good)


def test_project_without_slices_or_samples_has_an_empty_report(make: Made) -> None:
    found = sliced(make(ALL))
    assert (found.versions, found.worst) == ([], None)


def test_slice_is_kept_as_it_was_said_and_changed_by_its_name(make: Made) -> None:
    clock = make(ALL)
    first = read_slice("night", where=NIGHT, model_version="v1", since=NOW - DAY, until=NOW)
    assert [keep(clock, first), keep(clock, read_slice("night", where="count == 0"))] == [True, False]
    with reading(clock.backend.engine) as session:
        (found,) = slices.of_project(session, clock.project_id)
    assert found == read_slice("night", where="count == 0")
    keep(clock, first)
    with reading(clock.backend.engine) as session:
        assert slices.find(session, clock.project_id, "night") == first


def test_slices_of_the_project_file_are_kept_and_others_stay(make: Made) -> None:
    clock = make(ALL)
    keep(clock, read_slice("own"))
    for condition in (NIGHT, "count == 0"):
        apply_project(clock.backend, f'{HEAD}{ALL}slices: {{night: "{condition}"}}\n')
    with reading(clock.backend.engine) as session:
        found = slices.of_project(session, clock.project_id)
    assert found == [read_slice("night", where="count == 0"), read_slice("own")]


def test_report_of_a_slice_counts_its_samples_alone(make: Made) -> None:
    clock = make(ALL)
    night_and_day(clock, 3, 5)
    keep(clock, read_slice("night", where=NIGHT))
    (found,) = report(clock, slice="night").versions
    assert (found.samples, found.accuracy.value) == (3, 0.0)


@pytest.mark.parametrize(
    ("more", "samples"),
    [
        ({"since": NOW - 50 * DAY}, [5]),
        ({"since": NOW - 50 * DAY, "until": NOW - 30 * DAY}, [3]),
        ({"model_version": "v9"}, []),
        ({"until": NOW - 35 * DAY}, []),
    ],
)
def test_slice_has_its_own_times_and_version(make: Made, more: dict[str, object], samples: Sequence[int]) -> None:
    clock = make(ALL)
    arrive(clock, 3, captured_at=NOW - 40 * DAY)
    arrive(clock, 2)
    settle(clock)
    keep(clock, read_slice("part", **more))
    assert [found.samples for found in report(clock, slice="part").versions] == samples


def test_report_of_a_slice_that_is_not_there_names_those_that_are(make: Made) -> None:
    clock = make(ALL)
    keep(clock, read_slice("night", where=NIGHT))
    with pytest.raises(PolicyError, match="must be a slice of the project, got 'nigth'; there are night"):
        report(clock, slice="nigth")


def test_slices_are_compared_with_the_rest(make: Made) -> None:
    clock = make(ALL)
    night_and_day(clock, 2, 6)
    keep(clock, read_slice("night", where=NIGHT))
    keep(clock, read_slice("of-v2", model_version="v2"))
    (version,) = sliced(clock).versions
    (found,) = version.slices
    assert (found.name, found.samples, found.share) == ("night", 2, 0.25)
    assert (found.accuracy.value, found.rest.value, found.difference.value) == (0.0, 1.0, -1.0)


def test_what_chance_passed_over_is_in_the_slice_or_in_the_rest(make: Made) -> None:
    clock = make("  - {strategy: user_rejected}\n  - {strategy: random, rate: 0.000001}\n")
    bad = arrive(clock, 2, tags=["night"])
    arrive(clock, 1, tags=["night"])
    arrive(clock, 5)
    for sample_id in bad:
        clock.say(sample_id, "rejected")
    settle(clock)
    annotate(clock, bad, right=False)
    keep(clock, read_slice("night", where=NIGHT))
    keep(clock, read_slice("day", where=f"not {NIGHT}"))
    (version,) = sliced(clock).versions
    day, night = version.slices
    assert (version.samples, day.samples, night.samples, night.share) == (8, 5, 3, 0.375)
    assert (night.accuracy, night.rest.high) == (replace(day.rest, name="accuracy"), day.accuracy.high)
    assert (night.accuracy.n, night.accuracy.high, night.rest.value) == (2, 1 / 3, None)


def test_worst_slice_is_found_without_being_named(make: Made) -> None:
    clock = make(ALL)
    night_and_day(clock, 20, 20)
    worst = sliced(clock).worst
    (found,) = worst.slices
    assert (worst.model_version, worst.annotated) == ("v1", 40)
    assert (found.condition, found.samples, found.accuracy.value) == (NIGHT, 20, 0.0)
    assert "metadata.site == 'north'" in found.also
    assert worst.tested >= 3


def test_slices_over_the_wire(each_server: Server) -> None:
    path = "/v1/slices/night"
    assert each_server.read.get("/v1/slices").json() == {"slices": []}
    body = {"where": NIGHT, "since": "2026-11-01T00:00:00Z"}
    assert [each_server.admin.put(path, json=body).status_code for _ in range(2)] == [201, 200]
    found = each_server.read.get(path).json()
    assert found == {"name": "night", **body, "model_version": None, "until": None}
    assert each_server.read.get("/v1/slices").json() == {"slices": [found]}
    assert [each_server.admin.delete(path).status_code for _ in range(2)] == [204, 404]
    assert each_server.read.get(path).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_slices_are_changed_by_an_admin_alone(server: Server, method: str) -> None:
    assert server.read.request(method, "/v1/slices/night", json={}).status_code == 403


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("night", {"where": "state == 'queued'"}, "where"),
        ("Night", {}, "name"),
        ("night", {"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "since"),
        ("night", {"wher": "x"}, "wher"),
    ],
)
def test_slice_that_makes_no_sense_is_refused(server: Server, name: str, body: dict[str, str], field: str) -> None:
    refused = server.admin.put(f"/v1/slices/{name}", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("name", ["quality", "strata", "slices"])
def test_unknown_slice_of_a_report_is_refused(server: Server, name: str) -> None:
    refused = server.read.get(f"/v1/reports/{name}", params={"slice": "nigth"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "slice")


def test_report_of_slices_comes_over_the_wire(server: Server) -> None:
    clock = Clock(server.backend)
    arrive(clock, 2, now=NOW - 9 * DAY, captured_at=NOW - 9 * DAY, tags=["night"])
    settle(clock)
    server.admin.put("/v1/slices/night", json={"where": NIGHT}).raise_for_status()
    since = {"since": (NOW - 20 * DAY).isoformat()}
    found = server.read.get("/v1/reports/slices", params=since).raise_for_status().json()
    assert [one["samples"] for one in found["versions"][0]["slices"]] == [2]
    assert found["worst"]["slices"] == []


def run(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LOOKSWRONG_DATA_DIR": str(folder), "LOOKSWRONG_SECRET_KEY": "s" * 32}
    command = (sys.executable, "-m", "queue_server", *arguments)
    return subprocess.run(command, env=environment, check=check, capture_output=True, text=True)


def test_slices_by_command(sqlite_backend: Backend, tmp_path: Path) -> None:
    clock = Clock(sqlite_backend)
    said = run(tmp_path, "slice", "add", "night", "--where", NIGHT, "--until", "2026-11-30").stdout
    assert said == "pill-counter: slice night added\n"
    listed = json.loads(run(tmp_path, "slice", "list", "--json", "-").stdout)
    assert listed[0] == {
        "name": "night",
        "where": NIGHT,
        "model_version": None,
        "since": None,
        "until": "2026-11-30T00:00:00+00:00",
    }
    arrive(clock, 1, tags=["night"], now=NOW - 9 * DAY, captured_at=NOW - 9 * DAY)
    settle(clock)
    found = json.loads(run(tmp_path, "report", "slices", "--since", "2026-11-01").stdout)
    assert found["versions"][0]["slices"][0]["samples"] == 1
    assert run(tmp_path, "slice", "remove", "night").stdout == "removed\n"


def test_command_says_where_a_condition_is_wrong(sqlite_backend: Backend, tmp_path: Path) -> None:
    Clock(sqlite_backend)
    failed = run(tmp_path, "slice", "add", "night", "--where", "tags has", check=False)
    assert "Error: where: must have a field" in failed.stderr


def test_report_is_made_by_its_name(make: Made) -> None:
    clock = make(ALL)
    with reading(clock.backend.engine) as session:
        made = make_report(session, "slices", project_id=clock.project_id, now=LATER)
    assert isinstance(made, SlicesReport)
