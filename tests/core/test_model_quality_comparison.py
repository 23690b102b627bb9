"""Two model versions, and what it takes to tell them apart."""

from dataclasses import replace

import numpy as np
import pytest

from queue_server.core.model_quality import Comparison, Judged, Observation, compare
from tests.core.test_model_quality import many


def version(name: str, *, right: int, wrong: int, chance: float = 0.1) -> list[Observation]:
    """Return ten times as many samples as were annotated."""
    found = many(right, chance=chance) + many(wrong, right=False, chance=chance)
    found += many(9 * (right + wrong), chance=chance, drawn=False)
    return [replace(one, sample_id=f"{name} {index}", model_version=name) for index, one in enumerate(found)]


def shadowed(both: int, first: int, second: int, neither: int, *, drawn: int = 10) -> tuple[list[Observation], ...]:
    """Return samples of v7 that v8 predicted too, of which one in `drawn` was annotated."""
    answers = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    older = version("v7", right=len(answers), wrong=0)
    judged = [Judged(is_right=ours) for ours, _ in answers] + [None] * (len(older) - len(answers))
    own = [Judged(is_right=theirs) for _, theirs in answers] + [None] * (len(older) - len(answers))
    found = [replace(one, judged=b, shadows={"v8": a}) for one, a, b in zip(older, judged, own, strict=True)]
    return version("v8", right=1, wrong=1), found


def test_versions_without_annotations_cannot_be_compared() -> None:
    found = compare(version("v8", right=5, wrong=1), many(3, drawn=False, chance=0.1))
    assert (found.value, found.more_annotations) == (None, None)
    assert found.sentence == "v8 and v1 cannot be compared yet: one of them has no annotation"


def test_clear_difference_is_settled() -> None:
    found = compare(version("v8", right=480, wrong=20), version("v7", right=350, wrong=150))
    assert (found.is_paired, found.more_annotations, found.n) == (False, 0, (500, 500))
    assert found.low > 0
    assert found.sentence == f"v8 beats v7 by 26.0 ± {(found.high - found.low) * 50:.1f} points"


def test_small_difference_says_how_many_more_audits_would_settle_it() -> None:
    older = version("v7", right=1600, wrong=400)
    found = compare(version("v8", right=84, wrong=16), older)
    assert found.low < 0 < found.value
    assert f"v8 may beat v7, by 4.0 ± {(found.high - found.low) * 50:.1f} points; " in found.sentence
    assert found.sentence.endswith(f"{found.more_annotations} more audits would settle it")
    times = 1 + -(-found.more_annotations // 100)
    assert compare(version("v8", right=84 * times, wrong=16 * times), older).more_annotations == 0


def test_no_number_of_audits_makes_up_for_an_earlier_version_that_is_hardly_known() -> None:
    found = compare(version("v8", right=84, wrong=16), version("v7", right=16, wrong=4))
    assert found.more_annotations is None
    assert found.sentence.endswith("no number of annotations would settle it")


def test_worse_version_is_said_to_be_beaten() -> None:
    found = compare(version("v8", right=350, wrong=150), version("v7", right=480, wrong=20))
    assert found.sentence.startswith("v7 beats v8 by 26.0")


def test_same_samples_settle_what_two_streams_do_not() -> None:
    paired = compare(*shadowed(80, 12, 2, 6))
    apart = compare(version("v8", right=92, wrong=8), version("v7", right=82, wrong=18))
    assert (paired.is_paired, paired.n, apart.is_paired) == (True, (100, 100), False)
    assert paired.value == pytest.approx(apart.value)
    assert apart.low < paired.low


def test_few_pairs_are_no_ground_to_compare_on() -> None:
    assert not compare(*shadowed(20, 3, 0, 2)).is_paired


def simulated(seed: int, *, runs: int) -> float:
    """Return how often the paired interval holds the true difference of a finite stream, drawn at one in ten."""
    random = np.random.default_rng(seed)
    held = 0
    for _ in range(runs):
        stream = random.choice(4, size=600, p=[0.85, 0.07, 0.03, 0.05])
        drawn = random.random(600) < 0.1
        found = paired_of(stream, drawn)
        truth = (np.count_nonzero(stream == 1) - np.count_nonzero(stream == 2)) / 600
        held += found.is_paired and found.low <= truth <= found.high
    return held / runs


def paired_of(stream: np.ndarray, drawn: np.ndarray) -> Comparison:
    answers = [(True, True), (True, False), (False, True), (False, False)]
    samples = many(len(stream), chance=0.1, drawn=False)
    found = []
    for one, what, is_drawn in zip(samples, stream.tolist(), drawn.tolist(), strict=True):
        ours, theirs = (Judged(is_right=right) if is_drawn else None for right in answers[what])
        draw = replace(one.drawn, is_drawn=is_drawn)
        found.append(replace(one, model_version="v7", drawn=draw, judged=theirs, shadows={"v8": ours}))
    return compare(version("v8", right=1, wrong=0), found)


def test_paired_interval_holds() -> None:
    assert simulated(1, runs=200) >= 0.93
