"""The figures of a benchmark: the median of the runs, their spread, and the target of ours."""

import pytest

from benchmarks.client_sdks.figures import FAILED, Row, Target, percentile, ratios, table
from benchmarks.client_sdks.libraries import OURS

AT_MOST_2 = {"s": Target(sign="<=", bound=2)}


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([7], 0.5, 7), ([4, 1, 3, 2], 0.5, 2), (range(1, 101), 0.99, 99), (range(1, 1001), 0.999, 999), ([1, 2], 1.0, 2)],
)
def test_percentile_is_the_nearest_rank(values, share, expected):
    assert percentile(values, share) == expected


def test_runs_become_their_median_and_spread():
    rows = [Row(library="peer", figure="s", value=value) for value in (3.0, 1.0, 2.0)]
    assert table(rows, AT_MOST_2) == {"peer": {"s": {"median": 2.0, "min": 1.0, "max": 3.0, "runs": 3}}}


@pytest.mark.parametrize(("value", "holds"), [(2.0, True), (2.1, False), (None, False), (">= 25", False)])
def test_our_figure_is_held_to_its_target(value, holds):
    figure = table([Row(library=OURS, figure="s", value=value)], AT_MOST_2)[OURS]["s"]
    assert figure == {"median": value, "target": "<= 2", "holds": holds}


def test_what_could_not_be_measured_does_not_hold():
    assert table([Row(library=OURS, figure=FAILED, value="why")], {})[OURS][FAILED] == {"median": "why", "holds": False}


@pytest.mark.parametrize(
    ("theirs", "times", "holds"), [(4.0, 0.75, True), (2.0, 1.5, True), (1.0, 3.0, False), (None, None, False)]
)
def test_a_ratio_compares_ours_with_a_peers(theirs, times, holds):
    found = {OURS: {"s": {"median": 3.0}}, "peer": {"s": {"median": theirs}}}
    assert ratios(found, {"s": {"peer": 1.5}})["s"]["peer"] == {
        "target": "<= 1.5 times",
        "times": times,
        "holds": holds,
    }
