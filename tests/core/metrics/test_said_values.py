"""How sure predictions are and what annotations look like, in numbers."""

import math

import numpy as np
import pytest

from feedback_sdk.types import Box, Mask, Polygon, Prediction
from queue_server.core import rle
from queue_server.core.annotation import Annotation
from queue_server.core.metrics import METRICS, Of, annotation_values, prediction_values
from queue_server.core.metrics.annotations import bounds, object_area
from queue_server.core.metrics.coverage import covered_share

SIZE = (20, 10)


def box(x_min: float, y_min: float, x_max: float, y_max: float, **more: object) -> Box:
    values = {"label": "pill", "x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
    return Box(**(values | more))  # type: ignore[arg-type]  # each test names the fields it is about


def outline(*sides: float) -> Polygon:
    x_min, y_min, x_max, y_max = sides
    return Polygon(label="pill", points=[(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max)])


def mask(x_min: int, y_min: int, x_max: int, y_max: int) -> Mask:
    pixels = np.zeros((SIZE[1], SIZE[0]), bool)
    pixels[y_min:y_max, x_min:x_max] = True
    return Mask(label="pill", rle=rle.encode(pixels))


SHAPES = [box, outline, mask]


def said(**more: object) -> Prediction:
    return Prediction(**({"model_version": "v1", "task": "detection", "image_size": SIZE} | more))  # type: ignore[arg-type]  # as above


def test_no_prediction_has_no_figures() -> None:
    assert prediction_values(None, size=SIZE) == {}


def test_empty_prediction_is_not_sure() -> None:
    assert prediction_values(said(boxes=[]), size=SIZE) == {
        "object_count": 0.0,
        "mean_object_confidence": 0.0,
        "frame_density": 0.0,
    }


def test_figures_are_means_over_objects() -> None:
    sure, unsure = box(0, 0, 4, 5, confidence=1.0), box(0, 0, 4, 5, confidence=0.5)
    found = prediction_values(said(boxes=[sure, unsure]), size=None)
    expected = {
        "entropy": 0.5,
        "least_confidence": 0.25,
        "margin": 0.5,
        "variance": 0.125,
        "mean_object_confidence": 0.75,
        "object_count": 2.0,
        "frame_density": 10.0,
    }
    assert found == expected
    assert set(found) == {name for name, metric in METRICS.items() if metric.of is Of.PREDICTION}


def test_entropy_of_classes_is_in_bits() -> None:
    classes = {"cat": 0.5, "dog": 0.25, "cow": 0.25}
    found = prediction_values(said(task="classification", classes=classes), size=SIZE)
    assert found["entropy"] == 1.5
    assert found["variance"] == pytest.approx(np.var(list(classes.values())), abs=1e-6)
    assert "frame_density" not in found


def test_density_needs_the_size_of_the_image() -> None:
    boxes = [box(0, 0, 4, 5)]
    assert "frame_density" not in prediction_values(said(boxes=boxes, image_size=None), size=None)
    assert prediction_values(said(boxes=boxes, image_size=None), size=SIZE)["frame_density"] == 10.0


def test_boxes_beyond_the_exact_count_cover_as_much() -> None:
    boxes = [box(float(i % 20), float(i % 10), float(i % 20) + 1, float(i % 10) + 1) for i in range(200)]
    assert covered_share(boxes, [], size=SIZE) == pytest.approx(covered_share(boxes[:20], [], size=SIZE))


def test_turned_box_covers_its_area() -> None:
    turned = [box(60, 80, 140, 120, rotation_degrees=30)]
    assert covered_share(turned, [], size=(200, 200)) == pytest.approx(80 * 40 / 200**2, rel=0.01)


def test_no_annotation_has_no_figures() -> None:
    assert annotation_values(None, size=SIZE) == {}


def test_negative_has_no_objects_to_speak_of() -> None:
    expected = {"annotated_count": 0.0, "annotated_labels": 0.0, "duplicate_overlap": 0.0, "annotated_density": 0.0}
    assert annotation_values(Annotation(), size=SIZE) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_each_kind_have_the_same_area_and_bounds(shape: object) -> None:
    made = shape(3, 2, 9, 6)
    assert (object_area(made), bounds(made)) == (24.0, (3.0, 2.0, 9.0, 6.0))


def test_objects_are_measured_in_their_image() -> None:
    found = annotation_values(Annotation(boxes=(box(2, 1, 6, 3), box(10, 2, 14, 10, label="capsule"))), size=SIZE)
    expected = {
        "annotated_count": 2,
        "annotated_labels": 2,
        "annotated_density": 20,
        "annotated_area_px": 20,
        "annotated_area_percent": 10,
        "smallest_area_percent": 4,
        "largest_area_percent": 16,
        "annotated_aspect_ratio": 1.25,
        "border_closeness": 1,
        "duplicate_overlap": 0,
    }
    assert found == expected
    own = {name for name, metric in METRICS.items() if metric.of is Of.ANNOTATION and not metric.is_relative}
    assert set(found) == own


def test_objects_in_the_middle_are_far_from_the_border() -> None:
    found = annotation_values(Annotation(boxes=(box(8, 4, 12, 6),)), size=SIZE)
    assert found["border_closeness"] == 0.6


@pytest.mark.parametrize("shape", SHAPES)
def test_object_that_is_drawn_twice_is_found(shape: object) -> None:
    drawn = [shape(2, 1, 12, 9), shape(3, 1, 13, 9), shape(15, 1, 17, 9)]
    names = {box: "boxes", outline: "polygons", mask: "masks"}
    found = annotation_values(Annotation(**{names[shape]: tuple(drawn)}), size=SIZE)
    assert found["duplicate_overlap"] == pytest.approx(9 / 11, abs=1e-6)


def test_another_label_in_one_place_is_no_duplicate() -> None:
    found = annotation_values(Annotation(boxes=(box(2, 1, 6, 3), box(2, 1, 6, 3, label="capsule"))), size=SIZE)
    assert found["duplicate_overlap"] == 0


def test_image_without_a_size_leaves_shares_out() -> None:
    found = annotation_values(Annotation(boxes=(box(2, 1, 6, 3),)), size=None)
    assert found["annotated_area_px"] == 8
    assert not {"annotated_area_percent", "border_closeness", "annotated_density"} & set(found)


def test_masks_overlap_as_their_pixels_do() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        one, other = (random.random((6, 7)) < 0.5 for _ in range(2))
        drawn = tuple(Mask(label="a", rle=rle.encode(pixels)) for pixels in (one, other))
        found = annotation_values(Annotation(masks=drawn), size=(7, 6))["duplicate_overlap"]
        assert math.isclose(found, (one & other).sum() / (one | other).sum(), abs_tol=1e-6)
