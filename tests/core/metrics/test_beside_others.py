"""Samples held against each other: shapes, embeddings, frames of a stream, outliers and flags."""

import math

import numpy as np
import pytest

from feedback_sdk.types import Box, Mask, Polygon
from queue_server.core import rle
from queue_server.core.metrics import METRICS
from queue_server.core.metrics.flags import FLAGS, odd_sizes
from queue_server.core.metrics.neighbours import diversity, label_quality, novelty
from queue_server.core.metrics.outliers import MODERATE, SEVERE, distribution, oddness, undersampled
from queue_server.core.metrics.shapes import moments_of, polygon_similarities, shape_closeness
from queue_server.core.metrics.tracks import inconsistent_labels, missing_objects

HERE, THERE = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 60.0, 10.0)


def star(points: int = 5, *, size: float = 100.0, turn: float = 0.0, x: float = 200.0) -> Polygon:
    angles = turn + np.arange(2 * points) * math.pi / points
    reach = np.where(np.arange(2 * points) % 2, 0.4, 1.0) * size
    return Polygon(
        label="star", points=[(x + r * math.cos(a), x + r * math.sin(a)) for r, a in zip(reach, angles, strict=True)]
    )


def cloud(centre: int, *, count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (np.eye(8)[centre] + random.normal(0, 0.02, (count, 8))).astype(np.float32)


def test_shape_is_the_same_wherever_it_lies_however_large_and_turned() -> None:
    one, other = moments_of(star()), moments_of(star(size=150.0, turn=0.7, x=400.0))
    assert one[:1] == pytest.approx(other[:1], abs=0.03)


def test_mask_has_the_shape_of_its_box() -> None:
    pixels = np.zeros((40, 60), bool)
    pixels[10:30, 5:55] = True
    drawn = Box(label="a", x_min=5.0, y_min=10.0, x_max=55.0, y_max=30.0)
    assert moments_of(Mask(label="a", rle=rle.encode(pixels))) == pytest.approx(moments_of(drawn), abs=0.05)


def test_moments_of_a_rectangle_are_those_of_the_formula() -> None:
    # eta20 + eta02 of w × h: (w² + h²) / (12 w h)
    expected = -math.log10((2**2 + 1) / (12 * 2))
    assert moments_of(Box(label="a", x_min=0.0, y_min=0.0, x_max=64.0, y_max=32.0))[0] == pytest.approx(expected)


def test_odd_shape_is_far_from_its_label() -> None:
    boxes = [Box(label="a", x_min=0.0, y_min=0.0, x_max=50.0 + i, y_max=50.0) for i in range(9)]
    long = Box(label="a", x_min=0.0, y_min=0.0, x_max=500.0, y_max=20.0)
    found = shape_closeness(np.array([moments_of(each) for each in [*boxes, long]]))
    assert found.argmin() == 9


def test_outline_unlike_those_before_it_is_less_similar() -> None:
    long = Polygon(label="star", points=[(0.0, 0.0), (500.0, 0.0), (500.0, 9.0)])
    found = polygon_similarities([moments_of(each) for each in (star(), star(turn=0.2), long, star())])
    assert found[0] == 1.0
    assert found[2] < found[1]


def test_no_embedding_is_new() -> None:
    nothing = np.zeros((0, 4), np.float32)
    assert (len(novelty(nothing)), len(diversity(nothing)), len(label_quality(nothing, []))) == (0, 0, 0)


def test_single_embedding_has_no_neighbour() -> None:
    assert np.isnan(novelty(np.ones((1, 3), np.float32))).all()


def test_novelty_is_the_distance_to_the_nearest_of_all() -> None:
    vectors = np.random.default_rng(1).normal(size=(700, 6)).astype(np.float32)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -1)
    assert novelty(vectors) == pytest.approx(1 - cosines.max(axis=1), abs=1e-5)


def test_label_that_does_not_fit_those_around_it_is_told() -> None:
    vectors = np.concatenate([cloud(0, count=20, seed=1), cloud(1, count=20, seed=2)])
    labels = ["cat"] * 20 + ["dog"] * 20
    labels[3] = "dog"
    found = label_quality(vectors, labels)
    assert found[3] == 0.0
    assert np.delete(found, 3).min() >= 8 / 9


def test_varied_choice_takes_of_every_cluster_first() -> None:
    vectors = np.concatenate([cloud(0, count=95, seed=1), *(cloud(i, count=1, seed=i) for i in range(1, 6))])
    first = np.argsort(-diversity(vectors))[:10]
    assert {95, 96, 97, 98, 99} <= set(first.tolist())


@pytest.mark.parametrize(
    ("frame", "expected"), [([], 1), ([("pill", HERE)], 0), ([("capsule", HERE)], 1), ([("pill", THERE)], 1)]
)
def test_object_between_two_frames_is_missed(frame: list, expected: int) -> None:
    assert missing_objects([("pill", HERE)], frame, [("pill", HERE)]) == expected


@pytest.mark.parametrize(
    ("frame", "expected"), [([], 0), ([("pill", HERE)], 0), ([("capsule", HERE)], 1), ([("capsule", THERE)], 0)]
)
def test_label_that_changes_in_one_place_is_told(frame: list, expected: int) -> None:
    assert inconsistent_labels([("pill", HERE)], frame) == expected


def test_nothing_is_odd_among_nothing() -> None:
    assert distribution(np.zeros(0)) is None
    assert oddness(np.zeros(0)).tolist() == []


def test_outliers_lie_beyond_their_ranges() -> None:
    values = np.array([*range(101), 160.0, 210.0, np.nan])  # quartiles 25.5 and 76.5
    assert oddness(values)[-3:] == pytest.approx([83.5 / 51, 133.5 / 51, 0.0])
    assert [np.flatnonzero(oddness(values) > limit).tolist() for limit in (MODERATE, SEVERE)] == [[101, 102], [102]]


def test_values_of_which_most_are_one_have_no_outliers() -> None:
    assert oddness(np.array([0.0] * 99 + [1.0])).max() == 0


def test_distribution_counts_every_value() -> None:
    found = distribution(np.array([0.0, 1.0, 2.0, np.nan]))
    assert (found.n, found.median, sum(found.histogram), len(found.bin_edges)) == (3, 1.0, 3, 21)


@pytest.mark.parametrize("values", [[5.0, 5.0], [0.1 + 0.2, 0.3], [1e300, 1e300]])
def test_values_that_do_not_differ_have_one_bin(values: list[float]) -> None:
    assert distribution(np.array(values)).histogram == [2]


@pytest.mark.parametrize(
    ("counts", "expected"), [({}, []), ({"a": 1}, []), ({"a": 10, "b": 9, "c": 4}, ["c"]), ({"a": 10, "b": 10}, [])]
)
def test_label_with_half_as_many_is_undersampled(counts: dict[str, int], expected: list[str]) -> None:
    assert undersampled(counts) == expected


def test_nothing_known_is_no_fault() -> None:
    assert not any(flag.holds(np.array([np.nan])).any() for flag in FLAGS.values())


def test_every_flag_is_of_a_metric() -> None:
    assert {flag.metric for flag in FLAGS.values()} <= set(METRICS)


@pytest.mark.parametrize(
    ("name", "values"), [("dark", [0.31, 0.32]), ("grayscale", [1.0, 0.0]), ("drawn_twice", [0.6, 0.59])]
)
def test_flag_holds_on_one_side_of_its_bound(name: str, values: list[float]) -> None:
    assert FLAGS[name].holds(np.array(values)).tolist() == [True, False]


def test_size_beyond_three_ranges_is_odd() -> None:
    sides = np.array([100.0, 110.0, 120.0, 130.0, 140.0, 230.0, 900.0])
    assert odd_sizes(sides**2).tolist() == [False] * 6 + [True]
