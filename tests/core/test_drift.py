"""Two windows of rows: what counts as a difference, held against scipy and published values."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from queue_server.core.drift import (
    LABELS,
    Alarm,
    Kind,
    Labels,
    LabelShares,
    Pace,
    Rows,
    Season,
    benjamini_hochberg,
    compare,
    holm,
    label_shares,
    match_season,
    pace,
    starts_of_bursts,
    with_pace,
)
from queue_server.core.drift.binned import (
    jensen_shannon,
    quantile_edges,
    shares_between,
    shown_edges,
    stability_critical,
    stability_index,
)
from queue_server.core.drift.features import compare_labels, compare_numbers
from queue_server.core.drift.ordered import kolmogorov_tail, largest_gap, order

DAY = 86_400.0
HOUR = 3_600.0


def rows(*, weights: np.ndarray | None = None, at: np.ndarray | None = None, **numbers: np.ndarray) -> Rows:
    count = len(next(iter(numbers.values())))
    return Rows(
        captured_at=at if at is not None else np.zeros(count),
        weights=weights if weights is not None else np.ones(count),
        numbers=numbers,
    )


def labelled(*names: str) -> Rows:
    known = tuple(dict.fromkeys(names))
    codes = np.array([known.index(name) for name in names])
    count = len(names)
    labels = Labels(names=known, rows=np.arange(count), codes=codes, parts=np.ones(count))
    return Rows(captured_at=np.zeros(count), weights=np.ones(count), numbers={}, labels=labels)


def test_windows_without_rows_have_no_distance() -> None:
    empty = order(np.array([np.nan]))
    assert (empty.n, largest_gap(empty, order(np.ones(3)))) == (0, 0)
    found = compare_numbers("brightness", empty, order(np.ones(3)))
    assert (found.statistic, found.p_value, found.reference_histogram) == (None, None, [])


@pytest.mark.parametrize("levels", [3, 20, 10_000], ids=["many ties", "some", "none"])
def test_gap_is_that_of_scipy(levels: int) -> None:
    random = np.random.default_rng(levels)
    one, other = random.integers(0, levels, 150) * 1.0, random.integers(0, levels + 1, 230) * 1.0
    assert largest_gap(order(one), order(other)) == pytest.approx(stats.ks_2samp(one, other).statistic)


@pytest.mark.parametrize(("gap", "n"), [(0.19, 100), (0.3, 100), (0.35, 100), (0.06, 1000), (0.11, 1000)])
def test_chance_of_a_gap_is_the_exact_one_or_little_more(gap: float, n: int) -> None:
    random = np.arange(n) * 1.0
    exact = stats.ks_2samp(random, random + gap * n, method="exact").pvalue
    assert exact <= kolmogorov_tail(gap, n, n) <= 1.3 * exact


def test_weighted_row_counts_as_often_as_it_weighs() -> None:
    one = order(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 1.0]))
    twice = order(np.array([1.0, 2.0, 2.0, 3.0]))
    other = order(np.array([2.0, 5.0]))
    assert largest_gap(one, other) == largest_gap(twice, other)
    assert (one.mean, one.n) == (2.0, pytest.approx(16 / 6))


#: χ²(B − 1, 1 − α) (1/n + 1/m) from the tables of the χ² distribution
PSI_CRITICAL = [
    (10, 100, 100, 0.95, 16.919 * 0.02),
    (10, 100, 100, 0.99, 21.666 * 0.02),
    (10, 1000, 200, 0.95, 16.919 * 0.006),
    (20, 500, 500, 0.95, 30.144 * 0.004),
    (5, 400, 400, 0.9, 7.779 * 0.005),
]


@pytest.mark.parametrize(("bins", "n", "m", "level", "published"), PSI_CRITICAL)
def test_critical_value_of_the_stability_index_is_the_published_one(bins, n, m, level, published) -> None:
    assert stability_critical(bins, n=n, m=m, level=level) == pytest.approx(published, rel=1e-4)


def test_one_bin_has_no_critical_value() -> None:
    assert stability_critical(1, n=10, m=10) == 0


def test_stability_index_stays_below_its_critical_value_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    beyond = usual = 0
    for _ in range(400):
        found = compare_numbers("x", order(random.normal(size=300)), order(random.normal(size=300)))
        beyond += found.psi > found.psi_critical
        small = compare_numbers("x", order(random.normal(size=100)), order(random.normal(size=100)))
        usual += small.psi > 0.1
    assert beyond / 400 <= 0.08
    assert usual / 400 > 0.3  # what the usual limit of 0.1 does at 100 rows


def test_stability_index_is_the_sum_over_bins() -> None:
    p, q = np.array([0.1, 0.2, 0.7]), np.array([0.2, 0.2, 0.6])
    expected = 0.1 * np.log(2) - 0.1 * np.log(0.6 / 0.7)
    assert stability_index(p, q, n=1e12, m=1e12) == pytest.approx(expected)


def test_bin_that_is_empty_makes_no_endless_index() -> None:
    assert np.isfinite(stability_index(np.array([0.0, 1.0]), np.array([1.0, 0.0]), n=50, m=50))


def test_jensen_shannon_distance_is_that_of_scipy() -> None:
    p, q = np.array([0.1, 0.0, 0.9]), np.array([0.3, 0.5, 0.2])
    assert jensen_shannon(p, q) == pytest.approx(distance.jensenshannon(p, q, base=2))


def test_bins_of_a_value_that_is_nearly_constant_are_few() -> None:
    window = order(np.array([0.0] * 95 + [1.0, 2.0, 3.0, 4.0, 5.0]))
    edges = quantile_edges(window)
    assert (edges.tolist(), shares_between(window, edges).tolist()) == ([0.0], [0.95, pytest.approx(0.05)])


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        (np.array([3.0, 3.0]), [2.5, 3.5]),
        (np.array([0.5, 0.5]), [0.0, 1.0]),
        (np.array([0.0, 1.0, 2.0]), [-0.5, 0.5, 1.5, 2.5]),
        (np.array([0.0, 0.5]), np.linspace(0, 0.5, 21).tolist()),
    ],
    ids=["one number", "one value", "counts", "measures"],
)
def test_histogram_has_bins_for_people(values: np.ndarray, edges: list[float]) -> None:
    assert shown_edges(order(values), order(values)).tolist() == pytest.approx(edges)


def test_one_odd_row_does_not_squeeze_the_others_into_a_bin() -> None:
    usual = np.linspace(0, 1, 1000)
    found = compare_numbers("x", order(usual), order(np.append(usual, 1e9)))
    assert found.bin_edges[-1] < 1.1
    assert sum(found.current_histogram) == pytest.approx(1)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_nothing_tested_needs_no_adjustment(adjust) -> None:
    assert adjust([]) == []


def test_adjusted_p_values_are_the_published_ones() -> None:
    # R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") and "BH"
    given = [0.01, 0.02, 0.03, 0.04, 0.05]
    assert holm(given) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert benjamini_hochberg(given) == pytest.approx([0.05] * 5)


def test_labels_are_compared_by_pearsons_test() -> None:
    one, other = labelled(*["a"] * 60, *["b"] * 40), labelled(*["a"] * 80, *["b"] * 120)
    found = compare_labels(LABELS, label_shares(one), label_shares(other))
    expected = stats.chi2_contingency([[60, 40], [80, 120]], correction=False)
    assert (found.statistic, found.p_value) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert (found.effect, found.labels) == (pytest.approx(0.2), ["a", "b"])


def test_rare_labels_are_tested_together() -> None:
    shares = {"common": 0.9} | {f"rare {i}": 0.1 / 50 for i in range(50)}
    window, changed = LabelShares(shares=shares, n=200), LabelShares(shares={"common": 1.0}, n=200)
    found = compare_labels(LABELS, window, changed)
    assert found.statistic == pytest.approx(stats.chi2_contingency([[180, 20], [200, 0]], correction=False).statistic)
    assert (len(found.labels), found.labels[-1], sum(found.reference_histogram)) == (20, "(other)", pytest.approx(1))


def test_parts_of_a_row_share_its_weight() -> None:
    labels = Labels(
        names=("a", "b"), rows=np.array([0, 0, 1]), codes=np.array([0, 1, 0]), parts=np.array([0.5, 0.5, 1])
    )
    found = label_shares(Rows(captured_at=np.zeros(3), weights=np.array([2.0, 1.0, 9.0]), numbers={}, labels=labels))
    assert (found.shares, found.n) == ({"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}, pytest.approx(9 / 5))


def test_too_few_rows_are_never_a_drift() -> None:
    (found,) = compare(rows(x=np.zeros(99)), rows(x=np.ones(500)))
    assert (found.is_drifted, found.p_value, found.held_back[:38]) == (
        False,
        None,
        "each window must hold 100 rows or more",
    )


def test_small_effect_is_held_back_though_it_is_certain() -> None:
    random = np.random.default_rng(1)
    (found,) = compare(rows(x=random.normal(size=50_000)), rows(x=random.normal(0.1, size=50_000)))
    assert found.adjusted_p < Alarm().level
    assert (found.is_drifted, found.held_back) == (False, "the effect must be 0.1 or more to matter")


def test_shift_of_half_a_standard_deviation_is_found_in_a_week_of_500() -> None:
    random = np.random.default_rng(2)
    reference = {name: random.normal(size=2000) for name in "abcdefghij"}
    current = {name: random.normal(0.5 if name == "c" else 0.0, size=500) for name in reference}
    found = compare(rows(**reference), rows(**current))
    assert [feature.name for feature in found if feature.is_drifted] == ["c"]


def test_feature_that_one_window_does_not_know_is_not_compared() -> None:
    assert compare(rows(x=np.zeros(1)), rows(y=np.zeros(1))) == []


def test_year_of_daily_looks_without_drift_raises_no_alarm() -> None:
    random = np.random.default_rng(3)
    reference = rows(x=random.normal(size=300))
    stream = random.normal(size=365 * 20)
    looks = [compare(reference, rows(x=stream[day * 20 : (day + 7) * 20]), Alarm(effect=0.0)) for day in range(358)]
    assert not any(found.is_drifted for (found,) in looks)
    assert any(found.p_value < 0.05 for (found,) in looks)  # what a limit of 5% a look does


@pytest.mark.parametrize(
    ("streams", "at", "starts"),
    [
        ([], [], []),
        ([-1, -1], [0, 0], [True, True]),
        ([1, 1, 1, 1], [0, 50, 61, 100], [True, False, True, False]),
        ([1, 2], [0, 1], [True, True]),
        ([1, 1], [30, 0], [False, True]),
    ],
    ids=["no row", "no stream", "a long burst", "two streams", "in any order"],
)
def test_burst_counts_once(streams: list[int], at: list[float], starts: list[bool]) -> None:
    found = starts_of_bursts(np.array(streams, dtype=np.int64), np.array(at, dtype=np.float64))
    assert found.tolist() == starts


def test_season_is_the_same_on_both_sides() -> None:
    hours = np.arange(28 * 24) * HOUR
    reference = np.repeat(hours, 10)
    mornings = np.repeat(hours[(hours % DAY) == 6 * HOUR], 10)
    current = np.concatenate((mornings[: 7 * 10], hours[: 7 * 24]))
    found = match_season(reference, current)
    is_morning = (reference % DAY) == 6 * HOUR
    share = found.factors[is_morning].sum() / found.factors.sum()
    assert share == pytest.approx(((current % DAY) == 6 * HOUR).mean(), abs=1e-9)


@pytest.mark.parametrize(
    ("days", "season"),
    [(28, Season.HOUR_OF_WEEK), (3, Season.HOUR_OF_DAY)],
    ids=["the reference spans weeks", "it spans no week"],
)
def test_season_is_as_fine_as_the_reference_allows(days: int, season: Season) -> None:
    reference = np.repeat(np.arange(days * 24) * HOUR, 5)
    current = (np.arange(7 * 24) + 100 * 7 * 24) * HOUR
    assert match_season(reference, current).season is season


def test_season_that_the_reference_has_not_seen_is_not_matched() -> None:
    night, noon = np.arange(200.0) * DAY + 2 * HOUR, np.arange(7.0) * DAY + 12 * HOUR
    found = match_season(night[:5], noon)
    assert (found.season, found.factors.tolist()) == (Season.NONE, [1.0] * 5)


def test_hour_is_no_drift_once_the_season_is_matched() -> None:
    random = np.random.default_rng(4)
    at = random.uniform(0, 28 * DAY, 20_000)
    bright = np.where((at % DAY) < DAY / 2, 0.0, 2.0) + random.normal(size=at.size)
    is_now = (at % DAY) < DAY / 2  # the app is used in the mornings alone, this week
    reference, current = rows(at=at, x=bright), rows(at=at[is_now], x=random.normal(size=int(is_now.sum())))
    assert compare(reference, current)[0].is_drifted
    matched = match_season(at, current.captured_at)
    assert not compare(reference.weighing(matched.factors), current)[0].is_drifted


CHANGES = {
    Pace.SUDDEN: lambda at: (at > 0.43) * 1.0,
    Pace.GRADUAL: lambda at: np.clip((at - 0.2) / 0.6, 0, 1),
    None: lambda at: at * 0,
}


@pytest.mark.parametrize("expected", CHANGES, ids=str)
def test_pace_of_a_change_is_told(expected: Pace | None) -> None:
    random = np.random.default_rng(6)
    told = []
    for _ in range(20):
        at = random.uniform(size=2000)
        told.append(pace(at, CHANGES[expected](at) * 0.7 + random.normal(size=at.size)))
    assert told.count(expected) >= 18


@pytest.mark.parametrize("count", [0, 1, 30])
def test_too_few_rows_have_no_pace(count: int) -> None:
    assert pace(np.arange(count) * 1.0, np.arange(count) * 1.0) is None


def test_pace_of_labels_is_that_of_those_that_became_more() -> None:
    names = ["a"] * 300 + ["b"] * 300
    reference, current = labelled(*["a"] * 280, *["b"] * 20), labelled(*["a"] * 20, *["b"] * 280)
    since = labelled(*names)
    since = Rows(captured_at=np.arange(600.0), weights=since.weights, numbers={}, labels=since.labels)
    (found,) = compare(reference, current)
    assert (found.kind, with_pace(found, reference, since).pace) == (Kind.LABEL, Pace.SUDDEN)
