"""A policy over stored history: in bulk from the database, by the wire, and as a change of the policy shows it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from feedback_sdk.types import Feedback, Sample, Verdict
from queue_server import models, policy_file, replay
from queue_server.auth import Caller
from queue_server.backend import Backend
from queue_server.core.policy.replay import Replayed
from queue_server.ingest.due import decide_due
from queue_server.ingest.feedback import take_feedback
from queue_server.ingest.freezing import freeze_figures
from queue_server.ingest.requests import request_sample
from queue_server.ingest.samples import take_prediction, take_sample
from queue_server.replay import Proposed, Span
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, PROJECT, Server, apply_project, jpeg, prediction, sample

HEAD = "project: pill-counter\ntask: detection\nlabels: [pill, capsule]\nrules:\n"
LOW = HEAD + "  - {strategy: confidence_below, threshold: 0.5}\n"
DAY = timedelta(days=1)


def proposed(text: str) -> Proposed:
    file = policy_file.parse(text)
    return Proposed(text=file.policy, confirmation_window_seconds=file.confirmation_window_seconds)


def replayed(backend: Backend, project: models.Project, text: str, **span: object) -> Replayed:
    (found,) = replay.run(backend, project, [proposed(text)], span=Span(**span)).replayed
    return found


def send(
    backend: Backend, project: models.Project, *values: Sample, at: datetime = NOW, every: timedelta = DAY / 24
) -> None:
    for number, value in enumerate(values):
        take_sample(backend, project.id, value, image=None, now=at + number * every)


def say(backend: Backend, project: models.Project, value: Sample, verdict: Verdict, *, at: datetime = NOW) -> None:
    said = Feedback(id=uuid4(), sample_id=value.id, verdict=verdict, reporter="anna")
    take_feedback(backend, Caller(project_id=project.id, scopes=frozenset()), said, now=at)


def annotate(backend: Backend, project: models.Project, values: Sequence[Sample], **difference: int) -> None:
    """Let an annotator have found that difference from the model in each of these."""
    with writing(backend.engine) as session:
        for value in values:
            row = session.exec(select(models.Sample).where(models.Sample.sample_id == value.id)).one()
            session.add(
                models.Annotation(
                    project_id=project.id,
                    sample_pk=row.id,
                    label_studio_annotation_id=row.id,
                    annotator="ben",
                    created_at=NOW,
                    updated_at=NOW,
                    pulled_at=NOW,
                    result=[],
                    document={"boxes": []},
                    model_difference=difference,
                )
            )


def test_history_without_samples_is_replayed(backend: Backend) -> None:
    found = replayed(backend, apply_project(backend), LOW)
    assert (found.samples, found.queued, found.errors_caught.share) == (0, {}, None)


def test_what_the_policy_itself_queued_is_what_its_replay_queues(backend: Backend) -> None:
    project = apply_project(backend)
    values = [sample(prediction(0.3)), sample(prediction(0.9)), sample(prediction()), sample(prediction(0.9))]
    send(backend, project, *values)
    say(backend, project, values[3], Verdict.REJECTED, at=NOW + DAY / 2)
    while decide_due(backend, now=NOW + 3 * DAY):
        pass
    found = replayed(backend, project, PROJECT)
    assert found.queued == {"unconfirmed_low_confidence": 2, "user_rejected": 1}
    assert (found.queued_by_both, found.queued_only_here, found.queued_only_then) == (3, 0, 0)


RULES = """
  - {strategy: user_rejected}
  - {strategy: unconfirmed_low_confidence, threshold: 0.4}
  - {strategy: confidence_below, threshold: 0.2, probability: 0.5}
  - {strategy: random, rate: 0.1}
"""
TAKEN = RULES.replace("threshold: 0.2", "threshold: {quantile: 0.3}")
SERVED = {
    "without a budget": RULES,
    "first come": RULES + "budget: {per_day: 4}\n",
    "few a reporter": RULES + "budget: {per_day: 9, per_reporter: {per_day: 2}}\n",
    "held": RULES + "budget: {per_day: 4, mode: held}\n",
    "held for an hour": RULES + "budget: {per_hour: 1, mode: held}\n",
    "minutes": RULES + "budget: {minutes_per_day: 5, audit_share: 0.0}\n",
    "a threshold of the traffic": TAKEN + "budget: {per_day: 9}\n",
}


@pytest.mark.parametrize("rules", SERVED.values(), ids=SERVED)
def test_replay_queues_the_very_samples_that_the_server_queued(sqlite_backend: Backend, rules: str) -> None:
    project = apply_project(sqlite_backend, HEAD + rules)
    live(sqlite_backend, project, samples=72)
    outcome = replay.run(sqlite_backend, project, [proposed(HEAD + rules)], is_listing=True)
    with reading(sqlite_backend.engine) as session:
        queued = set(session.exec(select(models.LabelingTask.sample_pk)))
    assert (len(queued) > 5, set(outcome.queued[0])) == (True, queued)


def live(backend: Backend, project: models.Project, *, samples: int) -> None:
    """Let as many samples come, one an hour, with what users say of every third five hours later."""
    values = [sample(prediction((number * 7 % 10) / 10)) for number in range(samples)]
    for hour in range(samples + 50):
        now = NOW + hour * DAY / 24
        freeze_figures(backend, now=now)
        while decide_due(backend, now=now):
            pass
        if hour < samples:
            send(backend, project, values[hour], at=now)
        said = hour - 5
        if 0 <= said < samples and said % 3 == 0:
            verdict = Verdict.REJECTED if said % 2 else Verdict.CONFIRMED
            say(backend, project, values[said], verdict, at=now + timedelta(minutes=1))


def test_policy_sees_what_the_former_could_not(backend: Backend) -> None:
    project = apply_project(backend, HEAD + "  - {strategy: user_rejected}\n")
    send(backend, project, sample(prediction(0.3)), sample(prediction(0.9)))
    found = replayed(backend, project, LOW)
    assert (found.never_visible, found.newly_visible, found.queued_only_here) == (2, 1, 1)


@pytest.mark.parametrize(
    ("span", "samples"),
    [
        ({}, 6),
        ({"since": NOW + 2 * DAY}, 4),
        ({"until": NOW + 2 * DAY}, 2),
        ({"since": NOW + DAY, "until": NOW + 3 * DAY}, 2),
        ({"limit": 3}, 3),
        ({"limit": 6}, 6),
        ({"since": NOW + 10 * DAY}, 0),
    ],
)
def test_last_samples_of_a_stretch_are_replayed(backend: Backend, span: dict, samples: int) -> None:
    project = apply_project(backend)
    send(backend, project, *(sample() for _ in range(6)), every=DAY)
    found = replayed(backend, project, LOW, **span)
    assert found.samples == samples
    if samples == 3:
        assert found.since == NOW + 3 * DAY


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_neither_lose_nor_repeat_samples_that_came_at_one_moment(
    sqlite_backend: Backend, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(replay, "_PAGE", page)
    project = apply_project(sqlite_backend)
    send(sqlite_backend, project, *(sample(prediction(0.3)) for _ in range(6)), every=timedelta())
    assert replayed(sqlite_backend, project, LOW).queued == {"confidence_below": 6}


def test_progress_is_told_to_the_end(sqlite_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_PAGE", 2)
    project = apply_project(sqlite_backend)
    send(sqlite_backend, project, *(sample() for _ in range(5)))
    told: list[tuple[int, int]] = []
    replay.run(sqlite_backend, project, [proposed(LOW)], on_progress=lambda *counts: told.append(counts))
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_shadow_predictions_are_fetched_where_a_rule_asks_for_them(backend: Backend) -> None:
    project = apply_project(backend)
    value = sample(prediction(0.9))
    send(backend, project, value)
    other = prediction(0.9, 0.8, model_version="v2")
    take_prediction(backend, project.id, value.id, prediction=other, now=NOW)
    text = HEAD + "  - {strategy: model_disagreement, by: count}\n"
    assert replayed(backend, project, text).queued == {"model_disagreement": 1}


def test_quality_is_fetched_where_a_rule_asks_for_it(backend: Backend) -> None:
    project = apply_project(backend)
    take_sample(backend, project.id, sample(), image=jpeg(), now=NOW)
    text = HEAD + "  - {strategy: random, rate: 1.0, where: quality.width == 64}\n"
    assert replayed(backend, project, text).queued == {"random": 1}


def test_same_picture_is_queued_once(backend: Backend) -> None:
    project, image = apply_project(backend), jpeg()
    for seconds in (0, 1):
        take_sample(backend, project.id, sample(prediction(0.3)), image=image, now=NOW + timedelta(seconds=seconds))
    found = replayed(backend, project, LOW)
    assert (found.queued_in_all, found.duplicates) == (1, 1)


def test_known_errors_are_weighted_by_the_chance_of_their_time(backend: Backend) -> None:
    project = apply_project(
        backend, HEAD + "  - {strategy: empty, probability: 1.0}\n  - {strategy: random, rate: 0.5}\n"
    )
    empty, low = sample(prediction()), [sample(prediction(0.3)) for _ in range(40)]
    send(backend, project, empty, *low)
    drawn = [value for value in low if is_queued(backend, value)]
    annotate(backend, project, [empty, *drawn], added=1)
    caught = replayed(backend, project, HEAD + "  - {strategy: confidence_below, threshold: 0.5, missing: ignore}\n")
    share = 2 * len(drawn) / (2 * len(drawn) + 1)
    assert caught.errors_caught.share == pytest.approx(share)
    assert caught.errors_caught.known_errors == len(drawn) + 1


def is_queued(backend: Backend, value: Sample) -> bool:
    with reading(backend.engine) as session:
        return session.exec(select(models.Sample.state).where(models.Sample.sample_id == value.id)).one() == "queued"


def test_error_that_was_asked_for_counts_through_the_audit_alone(backend: Backend) -> None:
    project = apply_project(backend, HEAD + "  - {strategy: random, rate: 0.0}\n")
    value = sample(prediction(0.3))
    send(backend, project, value)
    request_sample(backend, project.id, value.id, reason="odd", now=NOW)
    annotate(backend, project, [value], added=1)
    caught = replayed(backend, project, LOW).errors_caught
    assert (caught.share, caught.known_errors, caught.left_out) == (None, 1, 1)


def test_thresholds_are_taken_from_what_came_before_the_stretch(backend: Backend) -> None:
    project = apply_project(backend)
    for at, count in ((NOW, 100), (NOW + DAY, 25), (NOW + DAY, 25)):
        values = [sample(prediction(number / count)) for number in range(count)]
        send(backend, project, *values, at=at, every=timedelta(minutes=1))
    text = HEAD + "  - {strategy: confidence_below, threshold: {quantile: 0.5}}\n"
    # The middle of the day before is 0.5, and 13 of 25 lie below; without that day the first 30 would have none.
    assert replayed(backend, project, text, since=NOW + DAY).queued == {"confidence_below": 26}


def test_policies_are_run_over_the_same_samples(sqlite_backend: Backend) -> None:
    project = apply_project(sqlite_backend)
    send(sqlite_backend, project, *(sample(prediction(confidence)) for confidence in (0.1, 0.4, 0.9)))
    both = [proposed(LOW), proposed(LOW.replace("0.5", "0.2"))]
    outcome = replay.run(sqlite_backend, project, both, span=Span(limit=2), is_listing=True)
    assert ([len(found) for found in outcome.queued], outcome.samples_in_all, outcome.scale) == ([1, 0], 3, 1.5)


def test_replay_by_the_wire_takes_a_file_or_an_object(each_server: Server) -> None:
    each_server.post(sample(prediction(0.3)))
    rules = [{"strategy": "confidence_below", "threshold": 0.5}]
    for policy in (LOW, {"rules": rules}, "rules: [{strategy: confidence_below, threshold: 0.5}]"):
        answer = each_server.admin.post("/v1/policy/replay", json={"policy": policy})
        assert (answer.status_code, answer.json()["queued"]) == (200, {"confidence_below": 1})


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, {"policy": "Field required"}),
        ({"policy": "rules: [{strategy: randm}]"}, {"policy.rules.0.strategy": "line 1: must be one of"}),
        ({"policy": {"rules": [{"strategy": "random", "rat": 1}]}}, {"policy.rules.0.rat": "is not known here"}),
        ({"policy": "- a"}, {"policy": "line 1: the file must hold a mapping"}),
        ({"policy": "rules: []", "limit": 1_000_001}, {"limit": "Input should be less than or equal to 1000000"}),
        ({"policy": "rules: []", "since": "2026-11-20T12:00:00"}, {"since": "Input should have timezone info"}),
    ],
)
def test_request_that_is_wrong_is_refused_with_its_paths(server: Server, body: dict, faults: dict) -> None:
    answer = server.admin.post("/v1/policy/replay", json=body)
    said = {fault["field"]: fault["message"] for fault in answer.json()["errors"]}
    assert answer.status_code == 422
    assert [field for field, start in faults.items() if not said.get(field, "").startswith(start)] == [], said


def test_replay_needs_a_key_that_may_administrate(server: Server) -> None:
    assert server.read.post("/v1/policy/replay", json={"policy": LOW}).status_code == 403
    assert server.open.post("/v1/policy/replay", json={"policy": LOW}).status_code == 401


def test_replay_changes_nothing(server: Server) -> None:
    value = sample(prediction(0.3))
    server.post(value)
    before = server.sample(value.id)
    server.admin.post("/v1/policy/replay", json={"policy": LOW}).raise_for_status()
    assert server.sample(value.id) == before


def test_schema_of_a_projects_file_is_served_without_a_key(server: Server) -> None:
    answer = server.open.get("/policy.schema.json")
    assert answer.headers["Content-Type"] == "application/schema+json"
    assert "rules" in answer.json()["properties"]
