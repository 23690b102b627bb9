"""Arrays, tensors and lists as a model of one's own returns them."""

import numpy as np
import pytest

from feedback_sdk import types
from feedback_sdk.adapters import arrays, prediction_of
from feedback_sdk.errors import ValidationError
from tests.sdk.adapters.packages import real

BOXES = np.array([[1, 2, 3.5, 4], [5, 6, 7, 8]], dtype=np.float32)


def made(value, **options):
    return arrays.prediction(value, model_version="v1", **options)


def test_boxes_keep_their_order_scores_and_names():
    found = made((BOXES, np.array([0.9, 0.1], dtype=np.float32), np.array([1, 0])), labels=["a", "b"])
    assert [(box.label, box.confidence, box.x_min, box.x_max) for box in found.boxes] == [
        ("b", 0.9, 1.0, 3.5),
        ("a", 0.1, 5.0, 7.0),
    ]


def test_without_scores_there_is_no_confidence():
    assert [box.confidence for box in made((BOXES, None, [0, 0])).boxes] == [None, None]


def test_without_labels_the_ids_are_the_names():
    assert [box.label for box in made((BOXES, None, np.array([3, 7]))).boxes] == ["3", "7"]


@pytest.mark.parametrize("labels", [["pill"], ("pill",), {1: "pill"}])
def test_one_label_names_all_boxes(labels):
    assert [box.label for box in made(BOXES, labels=labels).boxes] == ["pill", "pill"]


def test_the_images_size_is_kept():
    assert made((BOXES, None, [0, 0]), image_size=(640, 480)).image_size == (640, 480)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((BOXES, [0.5]), "class ids must be given unless labels is one name, got None"),
        ((BOXES, [0.5], [0, 0]), "scores must have one value for each of 2 objects, got 1"),
        ((BOXES, None, [0]), "class ids must be one for each of 2 objects, got 1"),
        ((BOXES, None, 3), "class ids must be one for each of 2 objects, got int"),
        ((BOXES, [0.5, 1.5], [0, 0]), "boxes.1.confidence must be <= 1.0, got 1.5"),
        ((BOXES, [0.5, np.nan], [0, 0]), "boxes.1.confidence must be finite"),
        ((), r"value must be \(boxes, scores, class ids\), got 0 values"),
        ((BOXES, None, None, None), "got 4 values"),
        (BOXES[:, :3], r"boxes must have the shape \(n, 4\), got a row of 3"),
    ],
)
def test_what_does_not_fit_together_is_refused(value, message):
    with pytest.raises(ValidationError, match=message):
        made(value)


def test_probabilities_are_a_classification():
    found = made(np.array([0.7, 0.3], dtype=np.float32), labels=["cat", "dog"])
    assert (found.task, found.classes) == (types.Task.CLASSIFICATION, {"cat": 0.7, "dog": 0.3})


def test_probabilities_beyond_one_are_refused():
    with pytest.raises(ValidationError, match=r"classes\.0 must be <= 1\.0, got 3\.0"):
        made(np.array([3.0, -1.0]))


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_a_tensor_is_read_as_an_array(kind):
    torch = real("torch")
    boxes = torch.tensor([[1, 2, 3.5, 4]], dtype=getattr(torch, kind), requires_grad=True)
    found = prediction_of((boxes, torch.tensor([0.5]), torch.tensor([0])), model_version="v1", labels=["a"])
    assert found == made(([[1, 2, 3.5, 4]], [0.5], [0]), labels=["a"])


def test_a_tensor_of_probabilities_is_a_classification():
    probabilities = real("torch").tensor([0.7, 0.3])
    assert prediction_of(probabilities, model_version="v1", labels=["cat", "dog"]).classes == {"cat": 0.7, "dog": 0.3}
