"""Estimates from unequally likely samples, held against published figures and against simulation."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from queue_server.core.estimate import (
    Cell,
    Interval,
    MeanStratum,
    Pairs,
    collapse,
    difference,
    hajek,
    jackknife,
    lure_weights,
    more_for,
    more_to_settle,
    paired_difference,
    post_stratified,
    stratified_mean,
    t_of,
    wilson,
)
from queue_server.core.estimate.intervals import wilson_near_ends


def sampled(*, size: int, right: int, wrong: int, unfinished: int = 0) -> Cell:
    """Return a stratum of which so many were drawn, each as likely as another."""
    drawn = right + wrong + unfinished
    weight = size / drawn
    square = weight**2 * (1 - 1 / weight)
    return Cell(
        size=size,
        right=right * weight,
        wrong=wrong * weight,
        open=unfinished * weight,
        right_squares=right * square,
        wrong_squares=wrong * square,
        open_squares=unfinished * square,
        units=size,
        drawn=drawn,
        annotated=right + wrong,
    )


#: names, size, n, mean and variance of the schools' scores in R's apistrat
APISTRAT = [(4421, 100, 674.43, 15687.419), (755, 50, 625.82, 11947.089), (1018, 50, 636.6, 13824.857)]


def test_stratified_mean_is_the_one_that_r_publishes() -> None:
    found = stratified_mean([MeanStratum(size=a, n=b, mean=c, variance=d) for a, b, c, d in APISTRAT])
    assert (round(found.value, 2), round(found.standard_error, 4)) == (662.29, 9.4089)


@pytest.mark.parametrize(
    ("share", "n", "interval"),
    [
        (0.5, 0, (0.0, 1.0)),
        (0.3, math.inf, (0.3, 0.3)),
        # Newcombe 1998, table I, method 3
        (81 / 263, 263, (0.2553, 0.3662)),
        (15 / 148, 148, (0.0624, 0.1605)),
        (0 / 20, 20, (0.0, 0.1611)),
        (1 / 29, 29, (0.0061, 0.1718)),
    ],
)
def test_interval_is_wilsons(share: float, n: float, interval: tuple[float, float]) -> None:
    assert wilson(share, n) == pytest.approx(interval, abs=6e-5)


@pytest.mark.parametrize("mean", [0.06, 0.1, 0.15, 0.3, 0.8, 2.0, 5.0])
@pytest.mark.parametrize("n", [47, 250])
def test_interval_near_the_ends_covers_what_few_errors_hide(n: int, mean: float) -> None:
    errors = np.arange(n + 1)
    ends = [wilson_near_ends(1 - k / n, n) for k in errors.tolist()]
    covers = np.array([low <= 1 - mean / n <= high for low, high in ends])
    assert stats.binom.pmf(errors, n, mean / n)[covers].sum() >= 0.93


@pytest.mark.parametrize(
    ("freedom", "level", "published"),
    [(1, 0.95, 12.706), (2, 0.95, 4.303), (10, 0.95, 2.228), (30, 0.95, 2.042), (10, 0.99, 3.169), (1000, 0.8, 1.282)],
)
def test_students_quantile_is_that_of_the_tables(freedom: int, level: float, published: float) -> None:
    assert t_of(freedom, level=level) == pytest.approx(published, abs=5e-4)


def test_nothing_that_came_may_be_anything() -> None:
    found = post_stratified([])
    assert (found.value, found.low, found.high) == (None, 0.0, 1.0)


def test_stratum_that_was_annotated_whole_enters_exactly() -> None:
    found = post_stratified([Cell(size=10, right=7.0, wrong=3.0, units=10, drawn=10, annotated=10)])
    assert (found.value, found.low, found.high) == (0.7, 0.7, 0.7)


def test_stratum_counts_by_its_size_and_not_by_its_draws() -> None:
    found = post_stratified([sampled(size=100, right=0, wrong=50), sampled(size=900, right=50, wrong=0)])
    assert found.value == pytest.approx(0.9)


def test_strata_without_an_error_leave_room_for_errors() -> None:
    found = post_stratified([sampled(size=4700, right=47, wrong=0)])
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(1.0, 47 / (1 - 0.01))[0])


def test_unfinished_tasks_are_all_wrong_for_one_end_and_all_right_for_the_other() -> None:
    found = post_stratified([Cell(size=10, right=6.0, wrong=2.0, open=2.0, units=10, drawn=10, annotated=8)])
    assert (found.value, found.low, found.high, found.unfinished) == (0.75, 0.6, 0.8, 2)


def test_stratum_that_nobody_saw_may_be_anything() -> None:
    found = post_stratified([Cell(size=90, right=90.0, units=90, drawn=90, annotated=90), Cell(size=10, units=10)])
    assert (found.value, found.low, found.high, found.seen) == (1.0, pytest.approx(0.9), 1.0, 0.9)


def test_sizes_that_are_estimates_widen_the_interval() -> None:
    cells = [Cell(size=50, right=50.0, units=5), Cell(size=50, wrong=50.0, units=5)]
    sizes = [Cell(size=50, right=50.0, size_squares=450.0), Cell(size=50, wrong=50.0, size_squares=450.0)]
    assert post_stratified(cells).interval.half_width == 0
    assert post_stratified(sizes).interval.half_width == pytest.approx(1.96 * math.sqrt(2 * 450 * 0.25) / 100, rel=1e-3)


@pytest.mark.parametrize(
    ("draws", "groups"),
    [
        ([], []),
        ([30], [(0,)]),
        ([3], [(0,)]),
        ([30, 40], [(0,), (1,)]),
        ([30, 3], [(0, 1)]),
        ([30, 3, 60], [(0, 1), (2,)]),
        ([0, 0, 60], [(0, 1, 2)]),
    ],
)
def test_sparse_strata_join_the_neighbour_drawn_most_alike(draws: list[int], groups: list[tuple[int, ...]]) -> None:
    cells = [Cell(units=1000, drawn=drawn, right=1.0, right_squares=9.0) for drawn in draws]
    assert collapse(cells) == groups


def test_small_stratum_that_was_drawn_whole_stays() -> None:
    whole = Cell(units=3, drawn=3, right=3.0, annotated=3)
    assert collapse([whole, sampled(size=100, right=3, wrong=0)]) == [(0,), (1,)]


def test_hajek_is_the_weighted_mean() -> None:
    assert hajek(Cell()) is None
    found = hajek(sampled(size=1000, right=30, wrong=10))
    reach = 1.96 * math.sqrt(0.75 * 0.25 / 40 * (1 - 0.04))
    assert (found.value, found.low) == pytest.approx((0.75, 0.75 - reach), abs=1e-4)


def mean_of(values: np.ndarray):
    return lambda weights: float(weights @ values / weights.sum())


def test_jackknife_of_a_mean_is_students_interval() -> None:
    values = np.random.default_rng(1).normal(size=40)
    value, interval = jackknife(mean_of(values), np.ones(40), range(40))
    expected = stats.t.interval(0.95, 39, loc=values.mean(), scale=stats.sem(values))
    assert value == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-4)


def test_jackknife_knows_that_units_of_a_cluster_err_alike() -> None:
    values = np.repeat(np.random.default_rng(1).normal(size=20), 10)
    _, alone = jackknife(mean_of(values), np.ones(200), range(200))
    _, clustered = jackknife(mean_of(values), np.ones(200), np.repeat(range(20), 10).tolist())
    assert clustered.half_width > 2.5 * alone.half_width


@pytest.mark.parametrize("units", [0, 1])
def test_jackknife_of_one_cluster_has_no_interval(units: int) -> None:
    value, interval = jackknife(mean_of(np.ones(units)), np.ones(units), [0] * units)
    assert (value, interval) == ((1.0, None) if units else (None, None))


def newcombe(one: int, n: int, other: int, m: int) -> Interval:
    ends = [(share, *wilson(share, size)) for share, size in ((one / n, n), (other / m, m))]
    return difference(*(Interval(value=value, low=low, high=high) for value, low, high in ends))


@pytest.mark.parametrize(
    ("counts", "interval"),
    # Newcombe 1998, table II, method 10
    [((56, 70, 48, 80), (0.0524, 0.3339)), ((9, 10, 3, 10), (0.1705, 0.8090)), ((10, 10, 0, 10), (0.6075, 1.0))],
)
def test_difference_of_two_samples_is_newcombes(counts: tuple[int, ...], interval: tuple[float, float]) -> None:
    found = newcombe(*counts)
    assert (found.low, found.high) == pytest.approx(interval, abs=1e-4)


def pairs(*counts: float, n: float) -> Pairs:
    return Pairs(size=1.0, **dict(zip(("both", "first", "second", "neither"), counts, strict=True)), effective_n=n)


@pytest.mark.parametrize(
    ("counts", "interval"),
    # Newcombe 1998 (paired data), method 10
    [((36, 12, 2, 0), (0.0569, 0.3404)), ((20, 12, 2, 16), (0.0562, 0.3292)), ((54, 0, 0, 0), (-0.0664, 0.0664))],
)
def test_difference_of_pairs_is_newcombes(counts: tuple[int, ...], interval: tuple[float, float]) -> None:
    found = paired_difference([pairs(*counts, n=sum(counts))])
    assert (found.low, found.high) == pytest.approx(interval, abs=1e-3)


def test_pairs_need_fewer_annotations_than_two_samples() -> None:
    paired = paired_difference([pairs(80, 10, 2, 8, n=100)])
    assert paired_difference([]) is None
    assert paired.half_width < 0.8 * newcombe(90, 100, 82, 100).half_width


@pytest.mark.parametrize(("right", "wrong"), [(90, 10), (100, 0)])
def test_more_annotations_make_the_interval_as_narrow_as_is_wanted(right: int, wrong: int) -> None:
    more = more_for([sampled(size=100_000, right=right, wrong=wrong)], half_width=0.01)
    times = (right + wrong + more) / (right + wrong)
    found = post_stratified([sampled(size=100_000, right=round(right * times), wrong=round(wrong * times))])
    assert (found.high - found.low) / 2 == pytest.approx(0.01, rel=0.05)


def test_no_number_of_annotations_makes_up_for_unfinished_ones() -> None:
    assert more_for([sampled(size=1000, right=90, wrong=0, unfinished=10)], half_width=0.04) is None


@pytest.mark.parametrize(
    ("interval", "other", "more"),
    [((0.02, 0.01, 0.03), 0.0, 0), ((0.0, -0.1, 0.1), 0.0, None), ((0.02, -0.01, 0.05), 0.02, None)],
)
def test_difference_that_is_settled_needs_no_more(interval: tuple[float, ...], other: float, more: int | None) -> None:
    value, low, high = interval
    found = Interval(value=value, low=low, high=high)
    assert more_to_settle(found, reach_of_first=0.02, n_of_first=100, reach_of_second=other) == more


def covered(runs: int, *, error: float) -> float:
    """Return how often the interval holds the truth: objections annotated whole, 47 audits of 4700 silent samples."""
    random = np.random.default_rng(3)
    held = 0
    for _ in range(runs):
        wrong = random.binomial(4700, error)
        found_wrong = random.hypergeometric(wrong, 4700 - wrong, 47)
        objected = Cell(size=300, right=60.0, wrong=240.0, units=300, drawn=300, annotated=300)
        found = post_stratified([objected, sampled(size=4700, right=47 - found_wrong, wrong=found_wrong)])
        held += found.low <= (4700 - wrong + 60) / 5000 <= found.high
    return held / runs


@pytest.mark.parametrize("error", [0.0, 0.002, 0.005, 0.01, 0.03, 0.1])
def test_interval_holds_where_audits_find_few_errors(error: float) -> None:
    assert covered(1000, error=error) >= 0.93


def test_lure_weights_undo_what_a_choice_by_score_did() -> None:
    random = np.random.default_rng(3)
    losses = np.array([0.0, 0.1, 0.2, 0.9, 1.0, 0.3])
    found = []
    for _ in range(2_000):
        left, taken, chances = list(range(6)), [], []
        for _ in range(3):
            scores = losses[left] + 0.2
            place = int(np.searchsorted(np.cumsum(scores / scores.sum()), random.random()))
            chances.append(scores[place] / scores.sum())
            taken.append(left.pop(place))
        found.append((lure_weights(chances, size=6) * losses[taken]).mean())
    assert np.mean(found) == pytest.approx(losses.mean(), abs=4 * np.std(found) / math.sqrt(len(found)))


def test_lure_weights_of_all_that_there_is_are_one() -> None:
    assert lure_weights([0.9, 0.8, 1.0], size=3).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("module", ["queue_server.app", "queue_server.cli"])
def test_processes_start_without_loading_scipy(module: str) -> None:
    program = f"import sys, {module}; sys.exit('scipy' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", program), check=False).returncode == 0
