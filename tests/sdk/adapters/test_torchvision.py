"""The mappings of torchvision's detectors: their form in numpy, and the real thing where it is installed."""

import numpy as np
import pytest

from feedback_sdk.adapters import prediction_of, torchvision
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Task
from tests.sdk.adapters.packages import real

LABELS = ["__background__", "pill", "cap"]


def found(**more):
    return {
        "boxes": np.array([[1, 1, 5, 4], [2, 2, 6, 5]], dtype=np.float32),
        "labels": np.array([2, 1]),
        "scores": np.array([0.9, 0.4], dtype=np.float32),
        **more,
    }


def made(result, **options):
    return torchvision.prediction(result, model_version="v1", labels=LABELS, **options)


def test_labels_count_from_the_background():
    assert [box.label for box in made(found()).boxes] == ["cap", "pill"]


def test_names_in_place_of_ids_stay():
    assert [box.label for box in made(found(labels=["red pill", "cap"])).boxes] == ["red pill", "cap"]


def test_soft_masks_become_masks_without_their_boxes():
    masks = np.zeros((2, 1, 6, 8), dtype=np.float32)
    masks[0, 0, 1:4, 1:5] = 0.7
    made_of_masks = made(found(masks=masks))
    assert (made_of_masks.task, made_of_masks.image_size, made_of_masks.boxes) == (Task.SEGMENTATION, (8, 6), None)
    assert [(mask.label, mask.confidence, mask.rle.size) for mask in made_of_masks.masks] == [("cap", 0.9, (6, 8))]


def test_no_masks_are_an_empty_list_of_masks():
    nothing = {"boxes": np.empty((0, 4)), "labels": np.empty(0), "scores": np.empty(0)}
    empty = made({**nothing, "masks": np.empty((0, 1, 6, 8))})
    assert (empty.masks, empty.boxes, empty.image_size) == ((), None, (8, 6))


def test_keypoints_have_their_objects_score():
    points = np.array([[[3, 4, 1], [5, 6, 1]], [[7, 8, 1], [9, 1, 1]]], dtype=np.float32)
    names = ["nose", "tail"]
    made_of_points = torchvision.prediction(found(keypoints=points), model_version="v1", labels=names)
    assert [(point.label, point.x, point.confidence) for point in made_of_points.keypoints] == [
        ("nose", 3.0, 0.9),
        ("tail", 5.0, 0.9),
        ("nose", 7.0, 0.4),
        ("tail", 9.0, 0.4),
    ]


def test_a_task_picks_the_boxes_of_a_segmentation():
    both = made(found(masks=np.ones((2, 1, 6, 8), dtype=np.float32)), task="detection")
    assert (len(both.boxes), both.masks) == (2, None)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": None}, "class ids must be given"),
        ({"labels": [1]}, "class ids must be one for each of 2 objects, got 1"),
        ({"labels": [1, 9]}, "labels must name class 9, got names for 3 classes"),
        ({"scores": [0.5]}, "scores must have one value for each of 2 objects, got 1"),
        ({"boxes": [[1, 2]]}, "got a row of 2"),
        ({"masks": np.ones((1, 1, 6, 8))}, "masks must be one for each of 2 objects, got 1"),
        ({"masks": np.ones((2, 6))}, r"masks must have the shape \(n, height, width\)"),
        ({"keypoints": np.ones((3, 1, 3))}, "keypoints must be one for each of 2 objects, got 3"),
    ],
)
def test_what_does_not_fit_together_is_refused(more, message):
    with pytest.raises(ValidationError, match=message):
        made(found(**more))


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize(
    ("name", "field"), [("fasterrcnn_mobilenet_v3_large_320_fpn", "boxes"), ("maskrcnn_resnet50_fpn", "masks")]
)
def test_a_real_detectors_answer_is_read(name, field):
    torch, models = real("torch"), real("torchvision.models.detection")
    torch.manual_seed(1)
    options = {"weights": None, "weights_backbone": None, "num_classes": 3, "min_size": 64, "max_size": 96}
    model = getattr(models, name)(box_score_thresh=0.0, box_detections_per_img=5, **options).eval()
    answer = model([torch.rand(3, 64, 96)])
    read = prediction_of(answer, model_version="v1", labels=LABELS, image_size=(96, 64))
    assert 0 <= len(getattr(read, field)) <= len(answer[0]["boxes"]) == 5


def test_tensors_with_gradients_are_read():
    torch = real("torch")
    result = {name: torch.tensor(value) for name, value in found().items()}
    result["scores"].requires_grad_()
    masks = torch.rand(2, 1, 6, 8, requires_grad=True)
    assert made(result) == made(found())
    assert made({**result, "masks": masks}) == made(found(masks=masks.detach().numpy()))
