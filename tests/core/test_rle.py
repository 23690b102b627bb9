"""COCO's and Label Studio's run lengths, held to the libraries that define them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st
from label_studio_sdk.converter import brush as oracle_brush
from pycocotools import mask as oracle_coco

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Rle
from queue_server.core import brush, rle

MASKS = np_st.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


def blob(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return (rows - height / 2) ** 2 / height + (columns - width / 3) ** 2 / width < min(height, width) / 8


@given(mask=MASKS)
def test_coco_text_equals_that_of_pycocotools(mask):
    theirs = oracle_coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert rle.encode(mask).counts == theirs["counts"].decode()


@given(mask=MASKS)
def test_coco_text_comes_back_as_the_same_mask(mask):
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


@pytest.mark.parametrize("shape", [(1, 1), (480, 640), (2000, 3000)])
def test_coco_text_of_pycocotools_is_read(shape):
    mask = blob(*shape)
    theirs = oracle_coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert np.array_equal(rle.decode(Rle(size=theirs["size"], counts=theirs["counts"].decode())), mask)


@given(mask=MASKS)
def test_coco_list_and_text_are_the_same_mask(mask):
    encoded = rle.encode(mask)
    listed = Rle(size=encoded.size, counts=rle.runs(encoded).tolist())
    assert np.array_equal(rle.decode(listed), mask)


@pytest.mark.parametrize(
    ("size", "counts", "message"),
    [
        ((2, 2), [], "must add up to 2 x 2 = 4, got 0"),
        ((2, 2), "", "must add up to 2 x 2 = 4, got 0"),
        ((2, 2), [1, 2], "must add up to 2 x 2 = 4, got 3"),
        ((2, 2), [9, 2], "must add up to 2 x 2 = 4, got 9"),
        ((2, 2), [6, -2], "must be >= 0, got -2"),
        ((2, 2), [2**62] * 4, "must add up to"),
        ((2, 2), [2**80], "must be a list of whole numbers"),
        ((2, 2), [1.5, 2.5], "must be a list of whole numbers"),
        ((0, 2), [0], "must be [height, width], each >= 1"),
        ((100_000, 100_000), [10**10], "must have at most 100000000 pixels"),
        ((2, 2), "4 ", "characters 0 to o"),
        ((2, 2), "4é", "beyond ASCII"),
        ((2, 2), "4P", "must end with a whole number"),
        ((2, 2), "P" * 8 + "0", "at most 7 digits a run, got 9"),
    ],
)
def test_hostile_coco_runs_are_refused(size, counts, message):
    with pytest.raises(ValidationError) as caught:
        rle.runs(Rle(size=size, counts=counts))
    assert message in str(caught.value)
    assert caught.value.field == "rle"


@given(counts=st.text(alphabet=[chr(code) for code in range(48, 112)], max_size=30))
def test_any_text_is_runs_that_fill_the_mask_or_refused(counts):
    try:
        lengths = rle.runs(Rle(size=(5, 7), counts=counts))
    except ValidationError:
        return
    assert lengths.sum() == 35
    assert lengths.min() >= 0


@given(mask=MASKS, factor=st.integers(1, 4))
def test_mask_enlarged_by_a_whole_factor_repeats_its_pixels(mask, factor):
    height, width = mask.shape
    larger = rle.decode(rle.resized(rle.encode(mask), width=width * factor, height=height * factor))
    assert np.array_equal(larger, np.kron(mask, np.ones((factor, factor), dtype=bool)))


def test_mask_made_smaller_takes_the_pixels_at_the_centres():
    mask = np.array([[1, 1, 0, 0, 1, 1], [1, 1, 0, 0, 1, 1]], dtype=bool)
    assert rle.decode(rle.resized(rle.encode(mask), width=3, height=1)).tolist() == [[True, False, True]]


@given(mask=MASKS)
def test_brush_of_ours_is_read_by_label_studio(mask):
    height, width = mask.shape
    theirs = oracle_brush.decode_rle(brush.encode_brush(mask)).reshape(height, width, 4)
    assert np.array_equal(theirs[:, :, 3] > 0, mask)


@given(mask=MASKS)
def test_brush_of_label_studio_is_read(mask):
    height, width = mask.shape
    theirs = oracle_brush.mask2rle(mask.astype(np.uint8) * 255)
    assert np.array_equal(brush.decode_brush(theirs, width=width, height=height), mask)


@pytest.mark.parametrize("shape", [(1, 1), (1, 65_536), (300, 400), (2000, 3000)])
def test_brush_comes_back_as_the_same_mask(shape):
    mask = blob(*shape)
    height, width = shape
    assert np.array_equal(brush.decode_brush(brush.encode_brush(mask), width=width, height=height), mask)


@given(alphas=st.lists(st.integers(0, 255), min_size=1, max_size=40))
def test_brush_literals_are_read(alphas):
    """Label Studio's browser also writes literal tokens, which its Python encoder never does."""
    octets = [octet for alpha in alphas for octet in (1, 2, 3, alpha)]
    bits = f"{len(octets):032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    bits += f"011{len(octets) - 1:016b}" + "".join(f"{octet:08b}" for octet in octets)
    bits += "0" * (-len(bits) % 8)
    stream = list(int(bits, 2).to_bytes(len(bits) // 8))
    assert brush.decode_brush(stream, width=len(alphas), height=1)[0].tolist() == [alpha > 0 for alpha in alphas]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "must not end within a token"),
        ([0, 0, 0, 16], "must not end within a token"),
        ([0, 0, 0, 99, 56, 0, 0, 0], "must hold 2 x 2 x 4 values, got 99"),
        ([300], "each 0 to 255"),
        (["a"], "each 0 to 255"),
        ([0, 0, 0, 16, 255, 255, 255, 255], "must hold words of 8 bits, got 32"),
    ],
)
def test_hostile_brush_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        brush.decode_brush(values, width=2, height=2)


def test_brush_larger_than_the_bound_is_refused_before_it_is_read():
    with pytest.raises(ValidationError, match="at most 100000000 pixels"):
        brush.decode_brush([], width=20_000, height=20_000)
