"""Masks as COCO's run lengths, held to COCO's own code."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from feedback_sdk.adapters import objects, runs
from feedback_sdk.errors import ValidationError
from tests.sdk.adapters.packages import coco_counts

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40))


def circle(height, width):
    y, x = np.mgrid[:height, :width]
    return (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 3) ** 2


@given(MASKS.filter(np.any))
def test_an_arrays_runs_are_those_of_coco(mask):
    made = runs.of_array(mask)
    assert (made.size, made.counts) == (mask.shape, coco_counts(mask))


@given(MASKS.filter(np.any))
def test_a_pil_masks_runs_are_those_of_coco(mask):
    assert runs.of_pil(Image.fromarray(mask.astype(np.uint8) * 255)).counts == coco_counts(mask)


@pytest.mark.parametrize("mask", [np.ones((3, 5), bool), circle(90, 160), circle(1080, 1920), circle(2000, 40)])
def test_the_runs_of_large_and_of_full_masks_are_those_of_coco(mask):
    assert runs.of_array(mask).counts == coco_counts(mask)


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float16, np.int64])
def test_numbers_above_a_half_count(kind):
    mask = circle(20, 30)
    assert runs.of_array(mask.astype(kind)) == runs.of_array(mask)


def test_soft_masks_are_cut_at_a_half():
    soft = np.array([[0.4, 0.5], [0.6, 1.0]], dtype=np.float32)
    assert runs.of_array(soft) == runs.of_array(np.array([[False, False], [True, True]]))


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_any_kind_of_pil_mask_is_read(mode):
    image = Image.fromarray(circle(20, 30).astype(np.uint8) * 255).convert(mode)
    assert runs.of_pil(image) == runs.of_array(circle(20, 30))


def test_a_mask_without_a_pixel_is_none():
    assert runs.of_array(np.zeros((4, 4), bool)) is None
    assert runs.of_pil(Image.new("L", (4, 4))) is None


@pytest.mark.parametrize("mask", [np.ones(4, bool), np.ones((2, 4, 4), bool), [[1, 0]]])
def test_what_is_no_mask_is_refused(mask):
    with pytest.raises(ValidationError, match=r"masks must have the shape \(n, height, width\)"):
        list(objects.mask_rles([mask]))
