"""Rules that look at more than a prediction: pictures, streams, other models, and what a person asks for."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from feedback_sdk.types import Correction, Verdict
from queue_server.backend import Backend
from queue_server.core.policy import Trigger
from queue_server.ingest.samples import take_image, take_prediction, take_sample
from tests.server.clock import HEAD, Clock
from tests.server.conftest import NOW, Server, jpeg, prediction, run_server, sample
from tests.server.test_duplicates import scene


def test_first_picture_of_a_kind_is_novel_and_the_next_is_not(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: novelty, distance: 8}\n")
    ids = [
        clock.arrive(prediction(0.9), image=scene(seed, quality=quality), now=NOW + timedelta(minutes=index))
        for index, (seed, quality) in enumerate([(0, 90), (0, 60), (7, 90)])
    ]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["queued", "awaiting_feedback", "queued"]


def test_novel_sample_stays_queued_whatever_is_queued_after_it(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: novelty, distance: 8}\n  - {strategy: user_rejected}\n")
    first = clock.arrive(prediction(0.9), image=scene())
    second = clock.arrive(prediction(0.9), image=scene(quality=60), now=NOW + timedelta(minutes=1))
    clock.say(second, Verdict.REJECTED)
    clock.say(first, Verdict.CONFIRMED, now=NOW + timedelta(minutes=2))
    assert [clock.end(each) for each in (first, second)] == [("queued", "novelty"), ("queued", "user_rejected")]


def test_every_third_sample_of_each_stream_is_queued(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: every_nth, n: 3}\n")
    ids = [clock.arrive(prediction(0.9), stream=stream) for _ in range(9) for stream in ("door", "yard")]
    taken = [clock.end(sample_id)[0] == "queued" for sample_id in ids]
    assert (sum(taken[0::2]), sum(taken[1::2])) == (3, 3)
    assert [clock.sample(sample_id).inclusion_probability for sample_id in ids] == pytest.approx([1 / 3] * 18)


def test_other_models_prediction_that_disagrees_queues_a_sample(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: model_disagreement, by: count}\n")
    sample_id = clock.arrive(prediction(0.9))
    other = prediction(0.9, 0.8, model_version="v2")
    take_prediction(clock.backend, clock.project_id, sample_id, prediction=other, now=NOW)
    assert clock.end(sample_id) == ("queued", "model_disagreement")
    assert clock.decisions(sample_id)[-1].trigger == Trigger.PREDICTION


def test_dark_picture_is_queued_when_its_image_comes(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: quality, metric: width, below: 100}\n")
    value = sample(prediction(0.9))
    take_sample(clock.backend, clock.project_id, value, image=None, now=NOW)
    assert clock.end(value.id)[0] == "awaiting_feedback"
    take_image(clock.backend, clock.project_id, value.id, image=jpeg(), now=NOW)
    assert clock.end(value.id) == ("queued", "quality")


def test_users_count_that_disagrees_queues_a_sample(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: count_disagrees, against: user, by: 2}\n")
    sample_id = clock.arrive(prediction(0.9))
    clock.say(sample_id, Verdict.CORRECTED, correction=Correction(count=2))
    assert clock.end(sample_id)[0] == "awaiting_feedback"
    clock.say(sample_id, Verdict.CORRECTED, correction=Correction(count=3), now=NOW + timedelta(minutes=1))
    assert clock.end(sample_id) == ("queued", "count_disagrees")


def test_sample_without_a_prediction_is_queued_by_what_came_with_it(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: metadata, condition: \"metadata.site == 'north'\", tags: [no-model]}\n")
    ids = [clock.arrive(None, metadata={"site": site}) for site in ("north", "south")]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["queued", "awaiting_feedback"]
    assert clock.sample(ids[0]).rule_tags == ["no-model"]


def test_reporter_who_floods_comes_after_others(make: Callable[[str], Clock]) -> None:
    clock = make("  - {strategy: user_rejected}\n")
    ids = [clock.arrive(prediction(0.9)) for _ in range(45)]
    for sample_id in ids[:-1]:
        clock.say(sample_id, Verdict.REJECTED, reporter="mallory")
    clock.say(ids[-1], Verdict.REJECTED, reporter="anna")
    assert clock.task(ids[-2]).priority < clock.task(ids[-1]).priority == 100


@pytest.fixture
def served(backend: Backend) -> Iterator[Server]:
    """A running server whose policy takes nothing by itself."""
    yield from run_server(backend, project_text=HEAD + "  - {strategy: random, rate: 0.0}\n")


def test_decision_is_explained_in_words(served: Server) -> None:
    value = sample()
    served.post(value, jpeg())
    decision = served.sample(value.id)["decision"]
    assert decision["explanation"].startswith("It waits for its user's answer. Under policy 1")
    assert decision["rules"][0]["explanation"].startswith("matches (rate 0); drew 0.")
    assert decision["rules"][0]["explanation"].endswith(", not below 0: not taken")
    assert decision["budget"] is None


def test_person_asks_for_all_that_a_filter_finds(served: Server) -> None:
    ids = [str(served.post(sample(tags=tags), jpeg()).json()["id"]) for tags in (["night"], ["day"], ["night"])]
    asked = {"reason": "nights", "filter": {"tag": "night", "where": "count == 1"}}
    answer = served.admin.post("/v1/samples/request", json=asked).raise_for_status().json()
    assert [item["id"] for item in answer["samples"]] == [ids[2], ids[0]]
    assert {item["state"] for item in answer["samples"]} == {"queued"}


def test_person_asks_for_what_looks_like_a_sample(served: Server) -> None:
    said = prediction(0.9, image_size=None)
    pictures = [scene(), scene(seed=9), scene(quality=40)]
    ids = [served.post(sample(said), picture).json()["id"] for picture in pictures]
    answer = served.admin.post("/v1/samples/request", json={"reason": "x", "similar_to": ids[0], "limit": 1})
    assert [item["id"] for item in answer.raise_for_status().json()["samples"]] == [ids[2]]


def test_embedding_tells_likeness_where_there_is_one(served: Server) -> None:
    vectors = ([1.0, 0.0], [0.0, 1.0], [0.9, 0.1])
    ids = [served.post(sample(embedding=vector), jpeg()).json()["id"] for vector in vectors]
    answer = served.admin.post("/v1/samples/request", json={"reason": "x", "similar_to": ids[0], "limit": 1})
    assert [item["id"] for item in answer.raise_for_status().json()["samples"]] == [ids[2]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": "x", "filter": {"where": "count =="}}, "filter.where"),
        ({"reason": "x", "filter": {"states": "queued"}}, "filter.states"),
        ({"reason": "x", "limit": 0}, "limit"),
    ],
)
def test_wrong_request_names_its_field(served: Server, body: dict, field: str) -> None:
    answer = served.admin.post("/v1/samples/request", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_tag_of_a_rule_finds_its_samples(backend: Backend) -> None:
    for served in run_server(backend, project_text=HEAD + "  - {strategy: random, rate: 1.0, tags: [seen-by-audit]}\n"):
        value = sample()
        served.post(value, jpeg())
        found = served.read.get("/v1/samples", params={"tag": "seen-by-audit"}).json()["samples"]
        assert [item["id"] for item in found] == [str(value.id)]
