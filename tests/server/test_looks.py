"""Several annotators, their majority, and further looks at what was annotated."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from queue_server.core.datasets import LabelSource
from queue_server.local_label_studio import LocalLabelStudio
from queue_server.push import PushResult
from tests.server.conftest import jpeg, sample
from tests.server.label_studio_calls import in_tab, new_annotator
from tests.server.loop import Loop, drawn, loop

__all__ = ["loop"]  # the fixture


@pytest.fixture
def second(label_studio: LocalLabelStudio) -> Iterator[str]:
    """The token of a second annotator."""
    return new_annotator(label_studio)


@pytest.fixture
def third(label_studio: LocalLabelStudio) -> Iterator[str]:
    """The token of a third one."""
    return new_annotator(label_studio)


def asked(loop: Loop, annotators: int) -> UUID:
    """Push a task for so many annotators."""
    loop.apply(f"strategy: user_rejected, annotators: {annotators}")
    sample_id = loop.queue()
    loop.push()
    return sample_id


def contested(loop: Loop, second: str) -> tuple[UUID, dict]:
    """Let two annotators disagree; return the sample and its first task."""
    sample_id = asked(loop, 2)
    task = loop.task(sample_id)
    loop.submit(task, drawn(10.0))
    loop.submit(task, drawn(10.0, 50.0), token=second)
    loop.pull()
    return sample_id, task


def disputed(loop: Loop) -> tuple[UUID, dict]:
    """Let an annotator leave the model as right, and a user object after that; return the sample and its first task."""
    sample_id = loop.queue()
    loop.push()
    task = loop.task(sample_id)
    loop.annotate(sample_id)
    loop.pull()
    loop.server.say(sample_id, "corrected", correction={"count": 9}, reporter="ben")
    return sample_id, task


def exported(loop: Loop) -> int:
    return loop.export(frozenset[LabelSource]()).items


def test_sample_for_two_is_annotated_once_both_have_finished(loop: Loop, second: str) -> None:
    sample_id = asked(loop, 2)
    task = loop.task(sample_id)
    loop.submit(task, drawn(10.0))
    loop.pull()
    assert (loop.state(sample_id)[0], loop.outcome(sample_id)) == ("pushed", None)
    loop.submit(task, drawn(11.0), token=second)
    loop.pull()
    assert (loop.state(sample_id)[0], exported(loop)) == ("annotated", 1)


def test_two_annotations_of_one_person_are_one_voice(loop: Loop) -> None:
    sample_id = asked(loop, 2)
    for place in (10.0, 11.0):
        loop.submit(loop.task(sample_id), drawn(place))
    loop.pull()
    assert loop.state(sample_id)[0] == "pushed"


def test_task_for_two_waits_in_the_inbox_for_the_second(loop: Loop, label_studio: LocalLabelStudio) -> None:
    sample_id = asked(loop, 2)
    loop.submit(loop.task(sample_id), drawn(10.0))
    inbox, place = loop.target.label_studio_view_id, loop.target.label_studio_project_id
    assert in_tab(label_studio, inbox, place) == [str(sample_id)]


def test_majority_of_three_is_the_truth(loop: Loop, second: str, third: str) -> None:
    sample_id = asked(loop, 3)
    task = loop.task(sample_id)
    loop.submit(task, drawn(10.0))
    loop.submit(task, drawn(10.0, 50.0), token=second)
    loop.submit(task, drawn(11.0), token=third)
    loop.pull()
    assert loop.state(sample_id) == ("annotated", "user_rejected")
    assert loop.chosen(sample_id).annotation.object_count == 1


def test_two_who_disagree_are_adjudicated_in_a_task_of_its_own(loop: Loop, second: str) -> None:
    sample_id, first = contested(loop, second)
    assert loop.state(sample_id) == ("queued", "adjudication")
    assert loop.push() == PushResult(pushed=1)
    task = loop.task(sample_id)
    assert (task["id"] != first["id"], task["data"]["look"], first["data"]["look"]) == (True, 2, 1)
    assert (task["data"]["reason"], len(task["predictions"])) == ("adjudication", 1)
    loop.submit(task, drawn(10.0, 50.0))
    loop.pull()
    assert loop.state(sample_id) == ("annotated", "adjudication")
    assert loop.chosen(sample_id).annotation.object_count == 2


def test_second_opinion_that_nobody_asked_for_is_adjudicated_too(loop: Loop, second: str) -> None:
    sample_id = asked(loop, 1)
    task = loop.task(sample_id)
    loop.submit(task, drawn(10.0))
    loop.pull()
    loop.submit(task, drawn(50.0), token=second)
    loop.pull()
    assert loop.state(sample_id) == ("queued", "adjudication")


def test_contested_sample_has_no_truth(loop: Loop, second: str) -> None:
    sample_id, _ = contested(loop, second)
    assert (loop.chosen(sample_id), loop.outcome(sample_id), exported(loop)) == (None, None, 0)


def test_ground_truth_needs_no_majority(loop: Loop, second: str) -> None:
    sample_id = asked(loop, 2)
    task = loop.task(sample_id)
    loop.submit(task, drawn(10.0))
    loop.submit(task, drawn(10.0, 50.0), token=second, ground_truth=True)
    loop.pull()
    assert loop.state(sample_id)[0] == "annotated"
    assert loop.chosen(sample_id).annotation.object_count == 2


def test_skip_of_one_of_two_leaves_the_others_word(loop: Loop, second: str) -> None:
    sample_id = asked(loop, 2)
    task = loop.task(sample_id)
    loop.submit(task, drawn(10.0))
    loop.submit(task, [], token=second, was_cancelled=True)
    loop.pull()
    assert loop.state(sample_id)[0] == "annotated"


def test_objection_after_the_annotation_opens_a_second_look(loop: Loop) -> None:
    sample_id, first = disputed(loop)
    assert loop.state(sample_id) == ("queued", "disputed")
    assert loop.push() == PushResult(pushed=1)
    task = loop.task(sample_id)
    assert (task["id"] != first["id"], task["data"]["look"], task["data"]["user_count"]) == (True, 2, 9)
    assert len(loop.tasks()) == 2


def test_objection_that_agrees_with_the_annotation_opens_none(loop: Loop) -> None:
    sample_id = loop.queue()
    loop.push()
    loop.annotate(sample_id, lambda result: [])
    loop.pull()
    loop.server.say(sample_id, "corrected", correction={"count": 0}, reporter="ben")
    assert (loop.state(sample_id)[0], loop.push()) == ("annotated", PushResult())


def test_second_look_counts_before_the_first(loop: Loop) -> None:
    sample_id, _ = disputed(loop)
    loop.push()
    loop.submit(loop.task(sample_id), drawn(10.0, 50.0))
    loop.pull()
    assert loop.state(sample_id) == ("annotated", "disputed")
    assert loop.chosen(sample_id).look == 2
    assert [row.look for row in loop.annotations(sample_id)] == [1, 2]


def test_ground_truth_of_the_first_look_counts_before_the_second(loop: Loop) -> None:
    sample_id, first = disputed(loop)
    loop.push()
    loop.submit(loop.task(sample_id), drawn(10.0, 50.0))
    loop.submit(first, drawn(10.0), ground_truth=True)
    loop.pull()
    assert (loop.chosen(sample_id).look, loop.state(sample_id)[0]) == (1, "annotated")


def test_second_look_that_is_skipped_leaves_the_sample_annotated(loop: Loop) -> None:
    sample_id, _ = disputed(loop)
    loop.push()
    loop.submit(loop.task(sample_id), [], was_cancelled=True)
    loop.pull()
    assert loop.state(sample_id)[0] == "annotated"
    assert loop.chosen(sample_id).look == 1


def test_second_look_that_is_deleted_leaves_the_sample_annotated(loop: Loop) -> None:
    sample_id, _ = disputed(loop)
    loop.push()
    loop.label_studio.delete(f"/api/tasks/{loop.task(sample_id)['id']}/").raise_for_status()
    loop.pull()
    assert (loop.state(sample_id)[0], loop.chosen(sample_id).look) == ("annotated", 1)


def test_edit_of_the_first_look_while_the_second_is_open_moves_nothing(loop: Loop) -> None:
    sample_id, first = disputed(loop)
    loop.push()
    loop.submit(first, drawn(50.0))
    assert loop.pull().annotations == 1
    assert loop.state(sample_id)[0] == "pushed"
    assert loop.chosen(sample_id).look == 1


def test_second_look_is_never_taken_back(loop: Loop) -> None:
    sample_id, _ = disputed(loop)
    loop.server.say(sample_id, "confirmed", reporter="ben")
    loop.server.say(sample_id, "confirmed", reporter="anna")
    loop.push()
    assert loop.state(sample_id)[0] == "pushed"


def test_push_that_died_finds_the_task_of_its_own_look(loop: Loop) -> None:
    sample_id, first = disputed(loop)
    loop.push()
    second = loop.task(sample_id)
    loop.forget_push(sample_id)
    assert loop.push() == PushResult(adopted=1)
    assert loop.task(sample_id)["id"] == second["id"] != first["id"]


def test_pull_adopts_a_second_look_that_an_annotator_finished_first(loop: Loop) -> None:
    sample_id, _ = disputed(loop)
    loop.push()
    second = loop.task(sample_id)
    loop.forget_push(sample_id)
    loop.submit(second, drawn(10.0))
    loop.pull()
    assert (loop.state(sample_id)[0], loop.task(sample_id)["id"]) == ("annotated", second["id"])


def test_rule_that_comes_before_the_push_may_ask_for_more_annotators(loop: Loop) -> None:
    loop.apply("strategy: random, rate: 1.0\nstrategy: user_rejected, annotators: 2")
    sample_id = loop.queue()
    loop.push()
    assert loop.task(sample_id)["overlap"] == 2


def test_rule_that_comes_after_the_push_asks_for_no_more(loop: Loop) -> None:
    loop.apply("strategy: random, rate: 1.0\nstrategy: user_rejected, annotators: 2")
    value = sample()
    loop.server.post(value, jpeg())
    loop.push()
    loop.server.say(value.id, "rejected")
    loop.annotate(value.id)
    loop.pull()
    assert loop.state(value.id)[0] == "annotated"
