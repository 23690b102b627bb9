"""Predictions and corrections on the stored image: scaled, clipped, or refused by name."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import (
    Box,
    BoxCorrection,
    Correction,
    Keypoint,
    Mask,
    Point,
    Polygon,
    Prediction,
    Rle,
)
from queue_server.core import rle
from queue_server.core.geometry import (
    corrected_box,
    correction_faults,
    faults,
    place_correction,
    place_prediction,
)
from queue_server.core.shapes import area, clip, corners, iou

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))


def box(x_min, y_min, x_max, y_max, **more):
    more.setdefault("label", "pill")
    return Box(x_min=float(x_min), y_min=float(y_min), x_max=float(x_max), y_max=float(y_max), **more)


def said(**objects):
    return Prediction(model_version="v1", task="detection", **objects)


def sides(item):
    return item.x_min, item.y_min, item.x_max, item.y_max


def test_empty_prediction_has_no_faults_and_stays_empty():
    placed = place_prediction(said(boxes=[]), width=640, height=480)
    assert faults(said(boxes=[]), width=640, height=480) == ()
    assert placed.boxes == ()
    assert placed.polygons is None


@pytest.mark.parametrize(
    ("given_box", "placed"),
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((-10, 20, 30, 40), (0, 20, 30, 40)),
        ((-10, -20, 700, 500), (0, 0, 640, 480)),
        ((630, 470, 650, 490), (630, 470, 640, 480)),
    ],
)
def test_box_is_clipped_at_the_edge(given_box, placed):
    assert sides(place_prediction(said(boxes=[box(*given_box)]), width=640, height=480).boxes[0]) == placed


def test_objects_are_scaled_from_their_own_image_size():
    prediction = said(
        image_size=(320, 240),
        boxes=[box(10, 20, 30, 40)],
        polygons=[Polygon(label="pill", points=[(0, 0), (10, 0), (10, 10)])],
        keypoints=[Keypoint(label="pill", x=320.0, y=1.0)],
    )
    placed = place_prediction(prediction, width=640, height=480)
    assert sides(placed.boxes[0]) == (20, 40, 60, 80)
    assert placed.polygons[0].points == ((0, 0), (20, 0), (20, 20))
    assert (placed.keypoints[0].x, placed.keypoints[0].y) == (640, 2)
    assert placed.image_size == (640, 480)


def test_rotated_box_that_crosses_the_edge_is_kept_whole():
    turned = box(-20, 100, 40, 120, rotation_degrees=30.0)
    assert place_prediction(said(boxes=[turned]), width=640, height=480).boxes[0] == turned


def test_upside_down_box_is_clipped_as_an_upright_one():
    turned = box(-20, 100, 40, 120, rotation_degrees=180.0)
    assert sides(place_prediction(said(boxes=[turned]), width=640, height=480).boxes[0]) == (0, 100, 40, 120)


@given(
    angle=st.floats(-360, 360),
    centre=st.tuples(st.floats(30, 70), st.floats(30, 70)),
    size=st.tuples(st.floats(1, 20), st.floats(1, 20)),
)
def test_rotated_box_is_scaled_as_its_corners_are(angle, centre, size):
    (x, y), (width, height) = centre, size
    turned = box(x - width, y - height, x + width, y + height, rotation_degrees=angle)
    placed = place_prediction(said(image_size=(100, 100), boxes=[turned]), width=300, height=300).boxes[0]
    for (small_x, small_y), (large_x, large_y) in zip(corners(turned), corners(placed), strict=True):
        assert math.isclose(small_x * 3, large_x, abs_tol=1e-6)
        assert math.isclose(small_y * 3, large_y, abs_tol=1e-6)


@pytest.mark.parametrize(
    "outside",
    [
        box(700, 0, 720, 10),
        box(-20, 0, 0, 10),
        box(0, 480, 10, 500),
        # Its unrotated sides reach into the image, but turned by 90 degrees it stands outside.
        box(-60, 100, 20, 110, rotation_degrees=90.0),
    ],
)
def test_box_wholly_outside_is_named(outside):
    found = faults(said(boxes=[box(0, 0, 9, 9), outside]), width=640, height=480)
    assert [fault.field for fault in found] == ["boxes.1"]
    assert found[0].message.startswith("must touch the image of 640x480 px, got x ")


@pytest.mark.parametrize(
    ("objects", "field", "message"),
    [
        (
            {"polygons": [Polygon(label="a", points=[(700, 1), (710, 1), (710, 9)])]},
            "polygons.0",
            "must touch the image",
        ),
        ({"keypoints": [Keypoint(label="a", x=641.0, y=1.0)]}, "keypoints.0", "must lie in the image of 640x480 px"),
        ({"masks": [Mask(label="a", rle=Rle(size=(9, 9), counts=[81]))]}, "masks.0", "= [480, 640], got [9, 9]"),
        ({"masks": [Mask(label="a", rle=Rle(size=(480, 640), counts=[5]))]}, "masks.0", "must add up to 480 x 640"),
        ({"image_size": (480, 640)}, "image_size", "must have the aspect ratio of the image, 640x480 px, got 480x640"),
        ({"image_size": (660, 480)}, "image_size", "must have the aspect ratio"),
    ],
)
def test_fault_names_its_field_and_what_came(objects, field, message):
    found = faults(said(**objects), width=640, height=480)
    assert [fault.field for fault in found] == [field]
    assert message in found[0].message


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (1281, 960), (7, 5), (646, 480)])
def test_size_of_nearly_the_same_aspect_is_taken(size):
    assert faults(said(image_size=size), width=640, height=480) == ()


def test_so_many_masks_that_scaling_would_take_minutes_are_refused():
    masks = [Mask(label="a", rle=Rle(size=(1, 1), counts=[1]))] * 200
    found = faults(said(image_size=(1, 1), masks=masks), width=4000, height=4000)
    assert [fault.field for fault in found] == ["masks"]
    assert "at most 1000 Mpx once scaled to the image, got 3200 Mpx" in found[0].message


def test_every_fault_is_named_at_once():
    prediction = said(boxes=[box(-9, -9, -1, -1), box(0, 0, 1, 1), box(-9, 0, -1, 1)])
    assert [fault.field for fault in faults(prediction, width=640, height=480)] == ["boxes.0", "boxes.2"]


def test_placing_what_has_a_fault_raises_with_its_field():
    with pytest.raises(ValidationError, match=r"boxes\.0 must touch the image") as caught:
        place_prediction(said(boxes=[box(-9, -9, -1, -1)]), width=640, height=480)
    assert caught.value.field == "boxes.0"


def test_polygon_is_cut_at_the_edge():
    polygon = Polygon(label="a", points=[(-10, 0), (10, 0), (10, 20), (-10, 20)])
    placed = place_prediction(said(polygons=[polygon]), width=640, height=480).polygons[0]
    assert set(placed.points) == {(0, 0), (10, 0), (10, 20), (0, 20)}


def test_polygon_with_too_many_points_once_cut_is_pressed_to_the_edge():
    comb = [(float(i), -5.0 if i % 2 else 100.0) for i in range(10_000)]
    placed = place_prediction(said(polygons=[Polygon(label="a", points=comb)]), width=10_000, height=200).polygons[0]
    assert len(placed.points) == 10_000
    assert min(y for _, y in placed.points) == 0.0


def test_mask_is_scaled_to_the_stored_image():
    mask = Mask(label="a", rle=Rle(size=(2, 2), counts=[2, 2]))
    placed = place_prediction(said(image_size=(2, 2), masks=[mask]), width=4, height=4).masks[0]
    assert rle.decode(placed.rle).tolist() == [[False, False, True, True]] * 4


@given(st.lists(st.tuples(st.floats(-20, 30), st.floats(-20, 30)), min_size=3, max_size=8))
def test_cut_outline_lies_within_the_window_and_never_grows(points):
    cut = clip(points, SQUARE)
    assert all(-1e-9 <= x <= 10 + 1e-9 and -1e-9 <= y <= 10 + 1e-9 for x, y in cut)
    assert area(clip(cut, SQUARE)) == pytest.approx(area(cut), abs=1e-6)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (box(0, 0, 2, 2), box(5, 5, 6, 6), 0.0),
        (box(0, 0, 2, 2), box(2, 0, 4, 2), 0.0),
        (box(0, 0, 2, 2), box(0, 0, 2, 2), 1.0),
        (box(0, 0, 2, 2), box(1, 0, 3, 2), 1 / 3),
        (box(0, 0, 4, 2), box(1, -1, 3, 3, rotation_degrees=90.0), 1.0),
        (box(0, 0, 2, 2), box(0, 0, 2, 2, rotation_degrees=45.0), 1 / math.sqrt(2)),
    ],
)
def test_overlap_of_two_boxes(one, other, expected):
    assert iou(one, other) == pytest.approx(expected)
    assert iou(other, one) == pytest.approx(expected)


def change(action, target=None, *, label=None, at=None, **more):
    place = dict(zip(("x_min", "y_min", "x_max", "y_max"), map(float, at), strict=True)) if at else {}
    return BoxCorrection(action=action, target=target, label=label, **place, **more)


@pytest.mark.parametrize(
    ("correction", "fields"),
    [
        (Correction(count=3), []),
        (Correction(boxes=[change("remove", 0), change("move", 1, at=(0, 0, 9, 9))]), []),
        (Correction(boxes=[change("remove", 2)]), ["boxes.0.target"]),
        (Correction(boxes=[change("remove", 1), change("move", 1, at=(0, 0, 9, 9))]), ["boxes.1.target"]),
        (Correction(boxes=[change("add", label="pill", at=(700, 0, 710, 9))]), ["boxes.0"]),
        (Correction(points=[Point(x=0.0, y=0.0), Point(x=-1.0, y=0.0)]), ["points.1"]),
        (Correction(count=1, image_size=(480, 640)), ["image_size"]),
    ],
)
def test_faults_of_a_correction(correction, fields):
    prediction = said(boxes=[box(0, 0, 9, 9), box(20, 20, 30, 30)])
    assert [fault.field for fault in correction_faults(correction, prediction, width=640, height=480)] == fields


def test_correction_of_a_sample_without_prediction_has_no_targets():
    found = correction_faults(Correction(boxes=[change("remove", 0)]), None, width=640, height=480)
    assert found[0].message == "target must be the index of one of the prediction's 0 boxes, got 0"


def test_correction_is_scaled_and_clipped():
    correction = Correction(
        image_size=(320, 240),
        boxes=[change("remove", 0), change("add", label="pill", at=(310, 10, 400, 20))],
        points=[Point(x=1.0, y=2.0)],
    )
    placed = place_correction(correction, None, width=640, height=480)
    assert sides(placed.boxes[0]) == (None, None, None, None)
    assert sides(placed.boxes[1]) == (620, 20, 640, 40)
    assert placed.points == (Point(x=2.0, y=4.0),)


def test_moved_box_keeps_the_models_label_unless_the_user_names_another():
    moved = change("move", 0, at=(0, 0, 9, 9))
    assert corrected_box(moved, label="pill").label == "pill"
    assert corrected_box(change("move", 0, label="capsule", at=(0, 0, 9, 9)), label="pill").label == "capsule"


SHRUNK = {"width": 1000, "height": 750}
ORIGINAL = Prediction(model_version="1", task="detection", image_size=(4000, 3000), boxes=[])


def test_correction_without_a_frame_is_in_the_pixels_of_its_prediction() -> None:
    said = Correction(
        points=[Point(x=3000.0, y=2000.0)],
        boxes=[BoxCorrection(action="add", label="pill", x_min=0.0, y_min=0.0, x_max=400.0, y_max=300.0)],
    )
    assert correction_faults(said, ORIGINAL, **SHRUNK) == ()
    placed = place_correction(said, ORIGINAL, **SHRUNK)
    assert placed.points == (Point(x=750.0, y=500.0),)
    assert (placed.boxes[0].x_max, placed.boxes[0].y_max) == (100.0, 75.0)


@pytest.mark.parametrize(
    ("image_size", "prediction", "expected"),
    [((1000, 750), ORIGINAL, 900.0), ((2000, 1500), ORIGINAL, 450.0), (None, None, 900.0), (None, ORIGINAL, 225.0)],
)
def test_frame_of_a_correction_is_its_own_then_the_predictions_then_the_stored_image(
    image_size: tuple[int, int] | None, prediction: Prediction | None, expected: float
) -> None:
    said = Correction(image_size=image_size, points=[Point(x=900.0, y=600.0)])
    assert place_correction(said, prediction, **SHRUNK).points[0].x == expected
