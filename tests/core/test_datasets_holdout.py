"""A share of the audit draws is never exported for training: whoever vouches for them, whatever else is exported."""

import random

import pytest

from queue_server.core.datasets import LabelSource, Split, build, group_key
from queue_server.core.datasets.split import assign
from tests.core.datasets_items import make_audit, make_item

ALL = [LabelSource.CONFIRMED, LabelSource.AFFIRMED]
SOURCES = list(LabelSource)


def stream_of(number: int, *, grouped: bool) -> str | None:
    return f"camera {number % 40}" if grouped else None


def production(*, grouped: bool, count: int = 400) -> list:
    """Return samples of which a third was drawn by the audit; users or annotators vouch for each."""
    found = []
    for number in range(count):
        make = make_audit if number % 3 == 0 else make_item
        source = SOURCES[number % len(SOURCES) if grouped else (number // 3) % len(SOURCES)]
        found.append(make(f"s{number}", stream=stream_of(number, grouped=grouped), label_source=source))
    return found


def exported(items: list, frozen: dict, include: list) -> dict[str, Split]:
    made = build(items, project="p", task="detection", labels=["pill"], include=include, frozen=frozen, salt="salt")
    frozen |= made.frozen
    return {example.item.sample_id: example.split for example in made.examples}


def held_out(items: list) -> set[str]:
    """Return the audit draws that the hash alone sends to the test set."""
    groups = {group_key(sample_id=item.sample_id, subject=item.subject, stream=item.stream): True for item in items}
    tests = {group for group, split in assign(groups, frozen={}, salt="salt").items() if split is Split.TEST}
    return {
        item.sample_id
        for item in items
        if item.is_audit and group_key(sample_id=item.sample_id, subject=item.subject, stream=item.stream) in tests
    }


@pytest.mark.parametrize("include", [[], [LabelSource.CONFIRMED], ALL], ids=["none", "confirmed", "all"])
@pytest.mark.parametrize("grouped", [False, True])
def test_held_out_audits_never_train_however_labels_come_in(grouped: bool, include: list) -> None:
    items = production(grouped=grouped)
    kept, frozen = held_out(items), {}
    assert 0.1 < len(kept) / sum(item.is_audit for item in items) < 0.3
    order = random.Random(3)
    for _ in range(4):
        # Labels come in any order, and an export may be made at any time.
        seen = exported(order.sample(items, 250), frozen, include)
        assert {sample_id for sample_id in kept if seen.get(sample_id) not in (None, Split.TEST)} == set()


@pytest.mark.parametrize("include", [[], ALL], ids=["none", "all"])
def test_audit_that_a_user_vouched_for_first_still_tests_when_it_is_annotated(include: list) -> None:
    first = [make_audit(f"s{number}", label_source=LabelSource.CONFIRMED) for number in range(100)]
    kept, frozen = held_out(first), {}
    assert kept & set(exported(first, frozen, include)) == set()
    later = [make_audit(f"s{number}") for number in range(100)]
    assert {exported(later, frozen, include)[sample_id] for sample_id in kept} == {Split.TEST}


def test_what_trains_beside_a_held_out_audit_is_of_other_groups() -> None:
    items = production(grouped=True)
    seen = exported(items, {}, ALL)
    streams = {split: {item.stream for item in items if seen.get(item.sample_id) is split} for split in Split}
    assert streams[Split.TEST]
    assert streams[Split.TEST] & (streams[Split.TRAIN] | streams[Split.VALIDATION]) == set()
