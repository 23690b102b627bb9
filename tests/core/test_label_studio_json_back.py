"""Pixels to Label Studio's percent and back: every kind, every rotation, every EXIF orientation."""

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st
from label_studio_sdk.converter import brush as oracle_brush
from PIL import Image, ImageDraw, ImageOps

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Box, BoxCorrection, Correction, Keypoint, Mask, Point, Polygon, Prediction
from queue_server.core import rle
from queue_server.core.label_config import ControlNames, own_controls
from queue_server.core.label_studio_json import annotation, pre_annotation
from queue_server.core.proposals import Proposal, UserVerdict
from queue_server.core.shapes import corners, turned

SIZES = st.tuples(st.integers(1, 8000), st.integers(1, 8000))
SHARES = st.floats(0.0, 1.0)


def written(size, correction=None, controls=None, **objects):
    verdicts = [UserVerdict(verdict="corrected", correction=correction)] if correction else []
    prediction = Prediction(model_version="v1", task="detection", **objects)
    said = Proposal(
        sample_id="1",
        image_url="http://host/1.jpg",
        width=size[0],
        height=size[1],
        reason="random",
        prediction=prediction,
        verdicts=verdicts,
    )
    names = controls or ControlNames(boxes="boxes", polygons="polygons", masks="masks", keypoints="keypoints")
    return pre_annotation(said, controls=names)["predictions"][0]["result"]


def back(result, size):
    return annotation(result, width=size[0], height=size[1])


def is_close(one, other, size):
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6 * max(size))


@st.composite
def upright_boxes(draw):
    size = draw(SIZES)
    low, high = sorted(draw(st.tuples(SHARES, SHARES).filter(lambda pair: abs(pair[0] - pair[1]) > 1e-6)))
    top, bottom = sorted(draw(st.tuples(SHARES, SHARES).filter(lambda pair: abs(pair[0] - pair[1]) > 1e-6)))
    width, height = size
    return size, Box(label="a", x_min=low * width, y_min=top * height, x_max=high * width, y_max=bottom * height)


@given(upright_boxes())
def test_upright_box_comes_back_within_a_millionth(drawn):
    size, box = drawn
    (returned,) = back(written(size, boxes=[box]), size).boxes
    for name in ("x_min", "y_min", "x_max", "y_max"):
        assert is_close(getattr(returned, name), getattr(box, name), size)


@given(upright_boxes())
def test_upright_box_stays_within_0_and_100_percent(drawn):
    size, box = drawn
    value = written(size, boxes=[box])[0]["value"]
    assert 0 <= value["x"] <= value["x"] + value["width"] <= 100
    assert 0 <= value["y"] <= value["y"] + value["height"] <= 100


@st.composite
def turned_boxes(draw):
    width, height = draw(st.tuples(st.integers(50, 4000), st.integers(50, 4000)))
    x, y = draw(SHARES) * width, draw(SHARES) * height
    half_width, half_height = draw(st.floats(0.5, width)), draw(st.floats(0.5, height))
    angle = draw(st.floats(-360, 360).filter(bool))
    return (width, height), Box(
        label="a",
        x_min=x - half_width,
        y_min=y - half_height,
        x_max=x + half_width,
        y_max=y + half_height,
        rotation_degrees=angle,
    )


@given(turned_boxes())
def test_turned_box_comes_back_with_the_same_corners(drawn):
    size, box = drawn
    result = written(size, boxes=[box])
    if result[0]["value"]["rotation"] == 0:
        return  # no corner of it is one that Label Studio takes: it gets the upright box around it
    (returned,) = back(result, size).boxes
    reach = max(*size, box.x_max - box.x_min, box.y_max - box.y_min)
    for x, y in corners(box):
        assert any(math.hypot(x - other_x, y - other_y) < 1e-6 * reach for other_x, other_y in corners(returned))


@given(turned_boxes())
def test_no_number_of_a_turned_box_is_beyond_what_label_studio_takes(drawn):
    size, box = drawn
    value = written(size, boxes=[box])[0]["value"]
    assert max(value["x"], value["y"], value["width"], value["height"]) <= 100
    assert abs(value["rotation"]) <= 360


def test_turned_box_within_bounds_keeps_its_rotation():
    box = Box(label="a", x_min=10.0, y_min=40.0, x_max=60.0, y_max=60.0, rotation_degrees=-30.0)
    (returned,) = back(written((100, 100), boxes=[box]), (100, 100)).boxes
    assert returned.rotation_degrees == -30.0
    assert returned.x_min == pytest.approx(10.0)


def test_label_studio_turns_about_the_left_top_corner():
    box = Box(label="a", x_min=20.0, y_min=40.0, x_max=60.0, y_max=60.0, rotation_degrees=90.0)
    value = written((100, 200), boxes=[box])[0]["value"]
    assert (value["x"], value["y"], value["width"], value["height"]) == pytest.approx((50.0, 15.0, 40.0, 10.0))


def test_diagonal_box_beyond_a_corner_is_shown_as_its_visible_part():
    box = Box(label="a", x_min=40.0, y_min=90.0, x_max=160.0, y_max=92.0, rotation_degrees=-45.0)
    value = written((100, 100), boxes=[box])[0]["value"]
    assert value["rotation"] == 0
    assert value["x"] + value["width"] == pytest.approx(100.0)


@given(size=SIZES, shares=st.lists(st.tuples(SHARES, SHARES), min_size=3, max_size=20))
def test_polygon_comes_back_within_a_millionth(size, shares):
    polygon = Polygon(label="a", points=[(x * size[0], y * size[1]) for x, y in shares])
    result = written(size, polygons=[polygon])
    (returned,) = back(result, size).polygons
    assert all(0 <= number <= 100 for point in result[0]["value"]["points"] for number in point)
    for one, other in zip(polygon.points, returned.points, strict=True):
        assert is_close(one[0], other[0], size)
        assert is_close(one[1], other[1], size)


@given(size=SIZES, share=st.tuples(SHARES, SHARES))
def test_keypoint_comes_back_within_a_millionth(size, share):
    point = Keypoint(label="a", x=share[0] * size[0], y=share[1] * size[1])
    (returned,) = back(written(size, keypoints=[point]), size).keypoints
    assert is_close(returned.x, point.x, size)
    assert is_close(returned.y, point.y, size)


@given(mask=np_st.arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30))).filter(np.any))
def test_mask_comes_back_to_the_pixel(mask):
    size = mask.shape[1], mask.shape[0]
    (returned,) = back(written(size, masks=[Mask(label="a", rle=rle.encode(mask))]), size).masks
    assert np.array_equal(rle.decode(returned.rle), mask)


def test_mask_drawn_on_an_image_of_another_size_is_scaled():
    stream = oracle_brush.mask2rle(np.full((2, 2), 255, dtype=np.uint8))
    region = {"id": "x", "from_name": "masks", "original_width": 2, "original_height": 2, "image_rotation": 0}
    region["value"] = {"format": "rle", "rle": stream, "brushlabels": ["a"]}
    (returned,) = back([region], (6, 4)).masks
    assert rle.decode(returned.rle).shape == (4, 6)


def photo(orientation, colour_at):
    """Return a JPEG as a camera writes it: turned pixels and the tag that says how to turn them back."""
    upright = Image.new("RGB", (160, 120), "white")
    ImageDraw.Draw(upright).rectangle((colour_at[0], colour_at[1], colour_at[2] - 1, colour_at[3] - 1), fill="red")
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that the orientation undoes
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    stored.save(content, "JPEG", quality=95, subsampling=0, exif=exif)
    return content.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_box_covers_the_same_pixels_whatever_the_exif_orientation(orientation):
    place = (32, 16, 96, 40)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(photo(orientation, place))))
    box = Box(label="a", **dict(zip(("x_min", "y_min", "x_max", "y_max"), map(float, place), strict=True)))
    (returned,) = back(written(image.size, boxes=[box]), image.size).boxes
    left, top, right, bottom = (round(getattr(returned, n)) for n in ("x_min", "y_min", "x_max", "y_max"))
    is_red = np.asarray(image)[:, :, 1] < 128
    assert image.size == (160, 120)
    assert is_red[top:bottom, left:right].all()
    assert is_red.sum() == is_red[top:bottom, left:right].sum()


def test_turned_box_covers_the_pixels_that_it_was_drawn_on():
    box = Box(label="a", x_min=60.0, y_min=50.0, x_max=140.0, y_max=80.0, rotation_degrees=25.0)
    image = Image.new("L", (200, 150))
    ImageDraw.Draw(image).polygon(corners(box), fill=255)
    value = written(image.size, boxes=[box])[0]["value"]
    # What Label Studio draws: from its corner along the turned sides.
    x, y, width, height = (
        value[n] / 100 * s for n, s in zip(("x", "y", "width", "height"), (200, 150) * 2, strict=True)
    )
    spokes = [turned(spoke, value["rotation"]) for spoke in ((0, 0), (width, 0), (width, height), (0, height))]
    drawn = Image.new("L", (200, 150))
    ImageDraw.Draw(drawn).polygon([(x + dx, y + dy) for dx, dy in spokes], fill=255)
    assert np.count_nonzero(np.asarray(drawn) != np.asarray(image)) <= 4


def test_empty_result_is_a_negative():
    assert back([], (640, 480)).object_count == 0


def test_users_spots_and_what_they_removed_are_left_out():
    boxes = [Box(label="a", x_min=at, y_min=0.0, x_max=at + 9.0, y_max=9.0) for at in (0.0, 20.0)]
    correction = Correction(boxes=[BoxCorrection(action="remove", target=0)], points=[Point(x=1.0, y=1.0)])
    result = written((640, 480), correction, own_controls("detection"), boxes=boxes)
    found = back(result, (640, 480))
    assert [round(box.x_min) for box in found.boxes] == [20]
    assert found.keypoints == ()


def test_region_whose_removed_mark_the_annotator_took_away_counts():
    boxes = [Box(label="a", x_min=0.0, y_min=0.0, x_max=9.0, y_max=9.0)]
    correction = Correction(boxes=[BoxCorrection(action="remove", target=0)])
    result = written((640, 480), correction, own_controls("detection"), boxes=boxes)
    kept = [region for region in result if region["from_name"] != "source"]
    assert len(back(kept, (640, 480)).boxes) == 1


def test_choices_and_number_are_read_from_their_own_controls():
    result = [
        {"id": "c0", "from_name": "choice", "type": "choices", "value": {"choices": ["cat", "dog"]}},
        {"id": "n0", "from_name": "count", "type": "number", "value": {"number": 30.0}},
        {"id": "q0", "from_name": "quality", "type": "choices", "value": {"choices": ["blurred"]}},
    ]
    found = back(result, (640, 480))
    assert (found.labels, found.count) == (("cat", "dog"), 30)


def region(control, **value):
    return {"id": "x", "from_name": control, "value": value}


@pytest.mark.parametrize(
    "nothing",
    [
        region("boxes", x=1, y=1, width=0, height=5, rectanglelabels=["a"]),
        region("polygons", points=[[1, 1], [2, 2]], polygonlabels=["a"]),
        region("masks", rle=oracle_brush.mask2rle(np.zeros((4, 6), dtype=np.uint8)), brushlabels=["a"]),
    ],
)
def test_region_without_area_is_no_object(nothing):
    assert back([nothing], (6, 4)).object_count == 0


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"from_name": "boxes"}, "result.0.value"),
        (region("boxes", x=1, y=1, width=5, height=5), "result.0.rectanglelabels"),
        (region("boxes", x=1, y=1, width=5, height=5, rectanglelabels=[]), "result.0.rectanglelabels"),
        (region("boxes", x="1", y=1, width=5, height=5, rectanglelabels=["a"]), "result.0.x"),
        (region("polygons", points=None, polygonlabels=["a"]), "result.0.points"),
        (region("polygons", points=[[1], [2], [3]], polygonlabels=["a"]), "result.0.points"),
        (region("masks", rle=None, brushlabels=["a"]), "result.0.rle"),
        (region("masks", rle=[1, 2], brushlabels=["a"]), "result.0.rle"),
        (region("count", number=2.5), "result.0.number"),
        (region("count", number=math.inf), "result.0.number"),
        (region("choice", choices=None), "result.0.choices"),
        (
            region("boxes", x=1, y=1, width=5, height=5, rectanglelabels=["a"]) | {"image_rotation": 90},
            "result.0.image_rotation",
        ),
    ],
)
def test_what_cannot_be_read_is_named(broken, field):
    with pytest.raises(ValidationError) as caught:
        back([broken], (640, 480))
    assert caught.value.field == field
    assert str(caught.value).startswith("result.0: ")
