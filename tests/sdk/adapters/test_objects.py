"""Numbers, names, and which objects mark something."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk.adapters import numbers, objects
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Task


def boxed(*corners, turn=0.0, image_size=(100, 50)):
    size = len(corners)
    made = objects.boxed(
        [list(map(float, box)) for box in corners],
        model_version="v1",
        task=Task.DETECTION,
        labels=["pill"] * size,
        confidences=[0.5] * size,
        image_size=image_size,
        rotations=[turn] * size,
    )
    return [(box.x_min, box.y_min, box.x_max, box.y_max) for box in made.boxes]


@given(st.lists(st.floats(-1e5, 1e5, width=32)))
def test_float32_keeps_its_seven_digits(values):
    plain = numbers.plain("x", values)
    assert plain == pytest.approx(values, rel=5.1e-7)
    assert plain == [float(f"{value:.7g}") for value in plain]


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_a_short_decimal_comes_out_short(kind):
    assert numbers.plain("x", np.array([0.5, 0.25], dtype=kind)) == [0.5, 0.25]


def test_float32_reads_as_it_was_written():
    assert numbers.plain("x", np.array([0.9, 0.6, 123.4567, 1e-7], dtype=np.float32)) == [0.9, 0.6, 123.4567, 1e-7]


@given(st.lists(st.floats(0, 1)))
def test_float64_stays_as_it_is(values):
    assert numbers.plain("x", [*values, 1 / 3]) == [*values, 1 / 3]


@pytest.mark.parametrize(
    ("given", "made"), [(0.0, 0.0), (1.0, 1.0), (1.0000001, 1.0), (-1e-7, 0.0), (1.001, 1.001), (-0.01, -0.01)]
)
def test_only_float_noise_is_pulled_into_the_unit(given, made):
    assert numbers.within_unit(given) == made


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "boxes must be rows of 4 numbers, got int 3"),
        ([1, 2, 3, 4], "boxes must be rows of 4 numbers, got list"),
        ([[1, 2, 3]], r"boxes must have the shape \(n, 4\), got a row of 3"),
        ([[1, 2, 3, 4], [1, 2, 3, 4, 5]], "got a row of 5"),
        ([["a", 2, 3, 4]], "boxes must be numbers, got others"),
        ([[None, 2, 3, 4]], "boxes must be numbers, got others"),
    ],
)
def test_what_are_no_rows_is_refused(value, message):
    with pytest.raises(ValidationError, match=message):
        numbers.rows("boxes", value, width=4)


@pytest.mark.parametrize(
    ("value", "message"),
    [([0.5], "one value for each of 2 objects, got 1"), (0.5, "a list of numbers, got float"), ("ab", "got str")],
)
def test_what_is_no_column_is_refused(value, message):
    with pytest.raises(ValidationError, match=message):
        numbers.confidences(value, size=2)


@pytest.mark.parametrize(
    ("ids", "labels", "message"),
    [
        ([2], ["a", "b"], "labels must name class 2, got names for 2 classes"),
        ([-1], ["a", "b"], "labels must name class -1"),
        ([2], {1: "a"}, "labels must name class 2"),
        ([0], "pill", "labels must be a list of names or map ids to them, got 'pill'"),
        ([0.5], ["a"], "labels.0 must be a name or a whole class id, got 0.5"),
        ([0, None], ["a"], "labels.1 must be a name or a whole class id, got None"),
        ([math.nan], None, "whole class id, got nan"),
        ([math.inf], None, "whole class id, got inf"),
    ],
)
def test_a_class_without_a_name_is_refused(ids, labels, message):
    with pytest.raises(ValidationError, match=message):
        objects.names(ids, labels)


def test_names_come_by_place_or_by_id():
    assert objects.names([1, 0.0], ["a", "b"]) == ["b", "a"]
    assert objects.names([7], {7: "g"}) == ["g"]


@pytest.mark.parametrize(
    ("box", "is_kept"),
    [
        ((10, 10, 20, 20), True),
        ((10, 10, 10, 20), False),
        ((10, 10, 20, 10), False),
        ((-5, -5, 1, 1), True),
        ((-5, 0, 0, 9), False),
        ((0, -5, 9, 0), False),
        ((100, 0, 110, 9), False),
        ((0, 50, 9, 60), False),
    ],
)
def test_a_box_is_kept_where_it_covers_something(box, is_kept):
    assert boxed(box) == ([box] if is_kept else [])


def test_a_box_is_kept_where_the_images_size_is_not_known():
    assert boxed((500, 500, 510, 510), image_size=None) == [(500, 500, 510, 510)]


@pytest.mark.parametrize(("turn", "is_kept"), [(0.0, False), (45.0, True), (90.0, True), (180.0, False)])
def test_a_turned_box_is_kept_where_its_turn_brings_it_into_the_image(turn, is_kept):
    assert bool(boxed((-5, 60, 25, 64), (20, 51, 60, 53), turn=turn)) is is_kept


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((3, 0, 1, 1), "boxes.1.x_min must be < x_max, got 3.0 and 1.0"),
        ((math.nan, 0, 1, 1), "boxes.1.x_min must be finite, got nan"),
        ((0, 0, 1, math.inf), "boxes.1.y_max must be finite, got inf"),
    ],
)
def test_a_false_box_is_refused_with_its_place(box, message):
    with pytest.raises(ValidationError, match=message) as caught:
        boxed((0, 0, 1, 1), box)
    assert caught.value.field.startswith("boxes.1.")


@pytest.mark.parametrize(
    ("point", "is_kept"),
    [((0, 0), False), ((0, 1), True), ((100, 50), True), ((100.5, 9), False), ((9, -1), False)],
)
def test_a_point_is_kept_where_it_was_found(point, is_kept):
    made = objects.keypoints([[point]], labels=["nose"], confidences=[0.5], image_size=(100, 50))
    assert [(kept.x, kept.y, kept.label, kept.confidence) for kept in made] == [(*point, "nose", 0.5)] * is_kept


def test_a_point_that_is_no_number_is_refused():
    with pytest.raises(ValidationError, match=r"keypoints\.0\.x must be finite, got nan"):
        objects.keypoints([[(math.nan, 1.0)]], labels=None, confidences=[0.5], image_size=(100, 50))


def test_classes_of_one_name_add_up():
    made = objects.classified([0.5, 0.2, 0.3], model_version="v1", labels=["crane", "cat", "crane"], image_size=None)
    assert made.classes == {"crane": 0.8, "cat": 0.2}


def test_a_size_that_the_result_denies_is_refused():
    with pytest.raises(ValidationError, match=r"image_size must be \(4, 3\), that of the result, got \(3, 4\)"):
        objects.agreed_size((3, 4), (4, 3))
