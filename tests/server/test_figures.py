"""Numbers that a policy takes from the traffic: frozen once a day or an hour, and the same for a sample ever after."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import select

from queue_server import models
from queue_server.ingest.freezing import freeze_figures
from queue_server.ingest.samples import take_sample
from queue_server.store.engine import reading, writing
from tests.server.clock import Clock
from tests.server.conftest import NOW, prediction, sample

DAY = timedelta(days=1)


def fill(clock: Clock, count: int, *, model_version: str = "v1", hours: float = 10.0) -> None:
    """Let samples of confidences from 0 to 1 come, evenly over some hours before now."""
    for index in range(count):
        said = prediction(index / count, model_version=model_version)
        came = NOW - timedelta(hours=hours * (count - index) / count)
        take_sample(clock.backend, clock.project_id, sample(said), image=None, now=came)


def figures(clock: Clock, name: str) -> dict[tuple[str, str], float]:
    with reading(clock.backend.engine) as session:
        rows = session.exec(select(models.FrozenFigure).where(models.FrozenFigure.name == name)).all()
    return {(row.rule, row.model_version): row.value for row in rows}


def test_nothing_is_frozen_of_nothing(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: confidence_below, threshold: {quantile: 0.1}}\n")
    assert freeze_figures(clock.backend, now=NOW) == 0


def test_threshold_that_was_not_frozen_yet_matches_nothing(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: confidence_below, threshold: {quantile: 0.1}}\n")
    assert clock.end(clock.arrive(prediction(0.01)))[0] == "awaiting_feedback"


def test_quantile_is_frozen_for_each_model_version(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: confidence_below, threshold: {quantile: 0.1}}\n")
    fill(clock, 50)
    fill(clock, 40, model_version="v2")
    freeze_figures(clock.backend, now=NOW)
    found = figures(clock, "threshold")
    assert found == {("confidence_below", "v1"): 0.1, ("confidence_below", "v2"): 0.1}


def test_frozen_threshold_decides_and_is_recorded(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: confidence_below, threshold: {quantile: 0.1}}\n")
    fill(clock, 50)
    freeze_figures(clock.backend, now=NOW)
    ids = [clock.arrive(prediction(value), now=NOW + timedelta(seconds=1)) for value in (0.05, 0.15)]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["queued", "awaiting_feedback"]
    assert clock.rules(ids[0])["confidence_below"]["compared"] == {"score": 0.05, "threshold": 0.1}


def test_as_many_as_wanted_a_day_lie_below_the_threshold(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: confidence_below, threshold: {target_per_day: 12}}\n")
    fill(clock, 50, hours=12.0)  # 100 a day
    freeze_figures(clock.backend, now=NOW)
    assert figures(clock, "threshold") == {("confidence_below", "v1"): pytest.approx(0.12)}


def test_threshold_stays_for_the_day_and_is_made_anew_on_the_next(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: confidence_below, threshold: {quantile: 0.1}}\n")
    fill(clock, 50)
    assert [freeze_figures(clock.backend, now=NOW + shift) for shift in (timedelta(0), timedelta(hours=1), DAY)] == [
        1,
        0,
        1,
    ]


def test_sample_keeps_the_threshold_that_it_came_under(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: unconfirmed_low_confidence, threshold: {quantile: 0.1}}\n")
    early = clock.arrive(prediction(0.05), now=NOW - timedelta(seconds=1))
    fill(clock, 50)
    freeze_figures(clock.backend, now=NOW)
    assert clock.rules(early)["unconfirmed_low_confidence"]["compared"]["threshold"] is None
    clock.say(early, "rejected", now=NOW + timedelta(hours=1))
    assert clock.rules(early)["unconfirmed_low_confidence"]["compared"]["threshold"] is None


def test_workers_at_once_freeze_a_figure_once(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: confidence_below, threshold: {quantile: 0.1}}\n")
    fill(clock, 50)
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: freeze_figures(clock.backend, now=NOW), range(4)))
    assert len(figures(clock, "threshold")) == 1


def test_surge_lowers_the_audits_rate_for_an_hour_and_drops_no_draw(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: random, rate: 0.5}\nbudget: {per_hour: 50, audit_share: 0.2}\n")
    hour = NOW.replace(minute=0)
    for index in range(80):
        take_sample(clock.backend, clock.project_id, sample(), image=None, now=hour - timedelta(minutes=index % 50 + 1))
    freeze_figures(clock.backend, now=hour)
    assert figures(clock, "rate") == {("random", ""): pytest.approx(0.5 * 10 / 40)}
    surged = clock.arrive(prediction(0.9), now=hour + timedelta(minutes=5))
    later = clock.arrive(prediction(0.9), now=hour + timedelta(hours=3))
    assert [clock.sample(each).inclusion_probability for each in (surged, later)] == pytest.approx([0.125, 0.5])


def test_rare_label_comes_first(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: labels, any: [pill, capsule], rare_first: true, priority: 40}\n")
    boxes = prediction(0.9)
    fill(clock, 40)
    freeze_figures(clock.backend, now=NOW)
    common = clock.arrive(boxes, now=NOW + timedelta(seconds=1))
    assert figures(clock, "label_share:pill") == {("labels", ""): 1.0}
    assert clock.task(common).priority == 40


def annotate(clock: Clock, sample_id: UUID, seconds: float, *, number: int) -> None:
    """Let an annotator have taken so long for a sample."""
    row = clock.sample(sample_id)
    with writing(clock.backend.engine) as session:
        session.add(
            models.Annotation(
                project_id=clock.project_id,
                sample_pk=row.id,
                label_studio_annotation_id=number,
                annotator="anna",
                created_at=NOW,
                updated_at=NOW,
                pulled_at=NOW,
                lead_time_seconds=seconds,
                result=[],
            )
        )


def test_budget_in_minutes_goes_by_what_tasks_of_a_reason_took(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: confidence_below, threshold: 1.0}\nbudget: {minutes_per_day: 6}\n")
    for number in range(5):
        annotate(clock, clock.arrive(prediction(0.5), now=NOW - DAY), 120.0, number=number)
    annotate(clock, clock.arrive(prediction(0.5), now=NOW - DAY), 40_000.0, number=9)  # left open over night
    freeze_figures(clock.backend, now=NOW)
    ids = [clock.arrive(prediction(0.5), now=NOW + timedelta(seconds=1)) for _ in range(5)]
    assert figures(clock, "lead_seconds") == {("confidence_below", ""): 120.0}
    assert [clock.end(sample_id)[0] for sample_id in ids].count("queued") == 3
