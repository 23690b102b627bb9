"""One picture, one labeling task: by equal bytes always, by a perceptual hash where the policy says so."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.backend import Backend
from queue_server.ingest.requests import request_sample
from queue_server.ingest.samples import take_image, take_sample
from tests.server.clock import Clock
from tests.server.conftest import NOW, jpeg, prediction, sample

HEAD = """
project: pill-counter
task: detection
labels: [pill, capsule]
confirmation_window: 24h
rules:
  - {strategy: user_rejected}
  - {strategy: confidence_below, threshold: 0.6}
  - {strategy: random, rate: 1.0, where: "tags has 'audit'"}
"""
NEAR = HEAD + "near_duplicates: {distance: 6, span: 10m}\n"
TWIN = ("archived", "duplicate")


@pytest.fixture
def make(backend: Backend) -> Iterator[Callable[[str], Clock]]:
    """Make a project of this text."""
    return lambda text: Clock(backend, text)


def scene(seed: int = 0, *, quality: int = 90, side: int = 96) -> bytes:
    """Return a smooth picture; the same seed at another quality or size looks the same."""
    tiny = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(tiny).resize((side, side * 3 // 4), Image.Resampling.BICUBIC).save(out, "JPEG", quality=quality)
    return out.getvalue()


def test_samples_of_different_pictures_have_a_task_each(make: Callable[[str], Clock]) -> None:
    clock = make(HEAD)
    ids = [clock.arrive(prediction(0.5)) for _ in range(2)]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["queued", "queued"]


def test_equal_bytes_have_one_task_with_a_link(make: Callable[[str], Clock]) -> None:
    clock = make(HEAD)
    picture = jpeg()
    first, second = (clock.arrive(prediction(0.5), image=picture) for _ in range(2))
    assert [clock.end(first)[0], clock.end(second)] == ["queued", TWIN]
    assert clock.sample(second).duplicate_of == clock.sample(first).id
    assert (clock.count(models.LabelingTask), clock.sample(first).collapsed) == (1, 1)


def test_rejection_of_a_duplicate_raises_the_task_that_serves_it(make: Callable[[str], Clock]) -> None:
    clock = make(HEAD)
    picture = jpeg()
    first, second = (clock.arrive(prediction(0.5), image=picture) for _ in range(2))
    clock.say(second, Verdict.REJECTED)
    task = clock.task(first)
    assert (task.priority, task.reasons) == (100, ["user_rejected", "confidence_below"])
    assert clock.end(second) == TWIN


def test_equal_bytes_that_arrive_at_once_have_one_task(make: Callable[[str], Clock]) -> None:
    clock = make(HEAD)
    picture = jpeg()
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda _: clock.arrive(prediction(0.5), image=picture), range(16)))
    assert clock.count(models.LabelingTask) == 1


def test_image_that_comes_after_its_sample_and_is_queued_already_takes_the_task_back(
    make: Callable[[str], Clock],
) -> None:
    clock = make(HEAD)
    picture = jpeg()
    clock.arrive(prediction(0.5), image=picture)
    late = sample(prediction(0.5))
    take_sample(clock.backend, clock.project_id, late, image=None, now=NOW)
    take_image(clock.backend, clock.project_id, late.id, image=picture, now=NOW)
    assert (clock.end(late.id), clock.task(late.id).state) == (TWIN, "withdrawn")


def test_pictures_that_look_the_same_are_apart_unless_the_policy_says_so(make: Callable[[str], Clock]) -> None:
    clock = make(HEAD)
    ids = [clock.arrive(prediction(0.5), image=scene(quality=quality)) for quality in (90, 60)]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["queued", "queued"]


def test_pictures_that_look_the_same_share_a_task_by_choice(make: Callable[[str], Clock]) -> None:
    clock = make(NEAR)
    first = clock.arrive(prediction(0.5), image=scene())
    second = clock.arrive(prediction(0.5), image=scene(quality=50, side=128), stands_for=4)
    other = clock.arrive(prediction(0.5), image=scene(seed=7))
    assert [clock.end(each)[0] for each in (first, second, other)] == ["queued", "archived", "queued"]
    assert clock.sample(first).collapsed == 4


def test_span_ends_the_likeness(make: Callable[[str], Clock]) -> None:
    clock = make(NEAR)
    clock.arrive(prediction(0.5), image=scene())
    later = clock.arrive(prediction(0.5), image=scene(quality=50), now=NOW + timedelta(minutes=11))
    assert clock.end(later)[0] == "queued"


def test_cameras_are_apart_where_only_one_stream_is_compared(make: Callable[[str], Clock]) -> None:
    clock = make(HEAD + "near_duplicates: {same_stream: true, distance: 6}\n")
    ids = [
        clock.arrive(prediction(0.5), image=scene(quality=90 - index), stream=stream)
        for index, stream in enumerate(("door", "yard", "door"))
    ]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["queued", "queued", "archived"]


def test_audit_draw_is_never_collapsed_into_a_picture_that_looks_the_same(make: Callable[[str], Clock]) -> None:
    clock = make(NEAR)
    clock.arrive(prediction(0.5), image=scene())
    audit = clock.arrive(prediction(0.9), image=scene(quality=50), tags=["audit"])
    assert clock.end(audit) == ("queued", "random")


def test_sample_that_a_person_asks_for_is_not_collapsed_into_one_that_looks_the_same(
    make: Callable[[str], Clock],
) -> None:
    clock = make(NEAR)
    clock.arrive(prediction(0.5), image=scene())
    asked = clock.arrive(prediction(0.9), image=scene(quality=50))
    request_sample(clock.backend, clock.project_id, asked, reason="look", now=NOW)
    assert clock.end(asked) == ("queued", "requested")


def test_equal_bytes_join_the_task_although_the_budget_is_spent(make: Callable[[str], Clock]) -> None:
    clock = make(HEAD + "budget: {per_day: 1}\n")
    picture = jpeg()
    first, second = (clock.arrive(prediction(0.5), image=picture) for _ in range(2))
    assert (clock.end(second), clock.sample(second).duplicate_of) == (TWIN, clock.sample(first).id)
