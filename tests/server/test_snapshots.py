"""Figures that a worker makes for the pages: who makes them, how often, and what a page shows meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser
from sqlmodel import select

from queue_server import models
from queue_server.backend import Backend
from queue_server.reports import QualityReport, snapshots
from queue_server.reports.progress import Progress
from queue_server.reports.rules import RulesReport
from queue_server.reports.totals import Totals
from queue_server.store import snapshots as stored
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, Server, apply_project, jpeg, prediction, sample
from tests.server.pages import Person

EVERY = timedelta(seconds=60)


def rows(backend: Backend) -> dict[str, models.FigureSnapshot]:
    with reading(backend.engine) as session:
        return {row.name: row for row in session.exec(select(models.FigureSnapshot))}


def latest(server: Server, kind: type) -> object:
    with reading(server.backend.engine) as session:
        found = snapshots.latest(session, server.project.id, kind)
    return found.value if found is not None else None


def test_without_a_project_nothing_is_made(backend: Backend) -> None:
    assert snapshots.make_due(backend, every=EVERY) == 0


def test_every_kind_is_made_once_and_read_back(each_server: Server) -> None:
    made = snapshots.make_due(each_server.backend, every=EVERY)
    assert made == len(rows(each_server.backend)) > 5
    assert snapshots.make_due(each_server.backend, every=EVERY) == 0
    assert isinstance(latest(each_server, QualityReport), QualityReport)
    assert {name for name, row in rows(each_server.backend).items() if row.document is None} == set()


def test_before_the_first_time_there_is_nothing(server: Server) -> None:
    assert latest(server, Totals) is None


def test_of_two_workers_one_makes_them(backend: Backend) -> None:
    project = apply_project(backend)
    lease = timedelta(hours=1)
    taken = []
    for now in (NOW, NOW, NOW + timedelta(minutes=59), NOW + timedelta(minutes=61)):
        with writing(backend.engine) as session:
            taken.append(stored.claim(session, project.id, "totals", now=now, lease=lease))
    assert taken == [True, False, False, True]


def test_later_figures_are_not_replaced_by_earlier_ones(server: Server) -> None:
    snapshots.make_due(server.backend, every=EVERY)
    late = rows(server.backend)["totals"]
    old = late.model_copy(update={"made_at": late.made_at - EVERY, "document": {"value": None}})
    with writing(server.backend.engine) as session:
        stored.keep(session, old)
    assert isinstance(latest(server, Totals), Totals)


def test_what_takes_long_is_made_less_often(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_REST", 1e6)
    started = datetime.now(UTC)
    snapshots.make_due(server.backend, every=EVERY)
    assert all(row.due_at > started + timedelta(seconds=60) for row in rows(server.backend).values())


def test_figures_of_another_version_of_the_server_count_as_none(server: Server) -> None:
    snapshots.make_due(server.backend, every=EVERY)
    with writing(server.backend.engine) as session:
        row = session.get_one(models.FigureSnapshot, (server.project.id, "totals"))
        row.document = {"value": {"older": 1}}
        session.add(row)
    assert latest(server, Totals) is None
    assert server.admin.get("/").status_code == 200


def test_few_samples_are_counted_afresh_and_many_as_last_counted(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots.make_due(server.backend, every=EVERY)
    server.post(sample(), jpeg())
    with reading(server.backend.engine) as session:
        now = datetime.now(UTC)
        afresh = snapshots.current(session, server.project.id, Totals, now=now).value
        monkeypatch.setattr(snapshots, "COUNTED_AT_ONCE", 1)
        counted = snapshots.current(session, server.project.id, Totals, now=now).value
    assert (afresh.samples, counted.samples) == (1, 0)


def fill(server: Server) -> None:
    """Post three samples that are rejected, of a closed window, and annotate two: one was right, one wrong."""
    past = datetime.now(UTC) - timedelta(days=8)
    values = [sample(prediction(0.9), captured_at=past) for _ in range(3)]
    for value in values:
        server.post(value, jpeg()).raise_for_status()
        server.say(value.id, "rejected")
    with writing(server.backend.engine) as session:
        for index, row in enumerate(session.exec(select(models.Sample).order_by(models.Sample.id)).all()):
            row.window_ends_at, row.decide_after = past + timedelta(days=1), None
            for decision in session.exec(select(models.Decision).where(models.Decision.sample_pk == row.id)):
                decision.decided_at = past
            for said in session.exec(select(models.Feedback).where(models.Feedback.sample_pk == row.id)):
                said.received_at = past
            if index < 2:
                row.state = "annotated"
                session.add(_annotation(row, added=index))
    snapshots.make_due(server.backend, every=EVERY)


def _annotation(row: models.Sample, *, added: int) -> models.Annotation:
    box = {"label": "pill", "x_min": 2.0, "y_min": 3.0, "x_max": 6.0, "y_max": 9.0}
    return models.Annotation(
        project_id=row.project_id,
        sample_pk=row.id,
        label_studio_annotation_id=row.id,
        annotator="carol",
        created_at=NOW,
        updated_at=NOW,
        pulled_at=NOW,
        lead_time_seconds=30.0,
        result=[],
        document={"boxes": [box] * (1 + added)},
        model_difference={"kept": 1, "changed": 0, "removed": 0, "added": added},
    )


def test_rules_are_told_what_they_brought_and_what_an_error_cost(each_server: Server) -> None:
    fill(each_server)
    report = latest(each_server, RulesReport)
    assert isinstance(report, RulesReport)
    (rule,) = report.rules
    assert (rule.reason, rule.queued, rule.annotated, rule.errors) == ("user_rejected", 3, 2, 1)
    assert rule.minutes_per_error == pytest.approx(1.0)


def test_accuracy_is_told_by_week_with_releases(server: Server) -> None:
    fill(server)
    progress = latest(server, Progress)
    assert isinstance(progress, Progress)
    (point,) = progress.points
    assert (point.model_version, point.samples, point.accuracy.n, point.accuracy.value) == ("v1", 3, 2, 0.5)
    (release,) = progress.releases
    assert point.week <= release.at < point.week + timedelta(days=7)


def test_overview_shows_the_accuracy_as_chart_and_table_and_the_way_of_the_samples(
    server: Server, browser: Browser
) -> None:
    fill(server)
    with Person(browser, server) as person:
        page = person.open("/")
        assert page.locator(".plot canvas").count() == 1
        page.get_by_text("The chart as a table").click()
        table = page.get_by_role("table", name="Accuracy by week and model version")
        assert "50.0%" in table.inner_text()
        steps = page.locator(".funnel li").all_inner_texts()
    assert [step.split()[:2] for step in steps] == [
        ["Predictions", "3"],
        ["Feedback", "3"],
        ["Queued", "3"],
        ["Annotated", "2"],
        ["Exported", "0"],
    ]
