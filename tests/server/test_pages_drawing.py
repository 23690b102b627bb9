"""What is drawn over an image: shapes in its pixels, and the same in words."""

from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest
from pydantic import TypeAdapter

from feedback_sdk.types import Box, Correction, Keypoint, Mask, Point, Polygon, Prediction, Task
from queue_server import models
from queue_server.core import rle
from queue_server.core.annotation import Annotation
from queue_server.pages.drawing import Drawing, draw, mask_path
from queue_server.store.gallery import Shown

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PILL = Box(label="pill", x_min=2.0, y_min=4.0, x_max=6.0, y_max=8.0, confidence=0.9)
IMAGE = models.Image(sha256="i", width=64, height=48, media_type="image/png", size_bytes=9, created_at=NOW)


def plain(value: object) -> dict[str, object]:
    found = TypeAdapter(type(value)).dump_python(value, mode="json", exclude_none=True)
    assert isinstance(found, dict)
    return found


def shown(
    said: Prediction | None = None,
    *,
    correction: Correction | None = None,
    verdict: str = "",
    annotation: Annotation | None = None,
) -> Shown:
    """Return a sample as the store hands it to a page."""
    feedback = models.Feedback(feedback_id=uuid4(), verdict=verdict, given_at=NOW, received_at=NOW)
    feedback.correction = plain(correction) if correction is not None else None
    row = models.Annotation(label_studio_annotation_id=1, annotator="carol", updated_at=NOW, result=[])
    row.document = plain(annotation) if annotation is not None else None
    return Shown(
        sample=models.Sample(id=1, project_id=1, sample_id=uuid4()),
        image=IMAGE,
        prediction=models.Prediction(document=plain(said), model_version="v1") if said is not None else None,
        feedback=(feedback,) if verdict else (),
        annotations=(row,) if annotation is not None else (),
        decision=None,
        task=None,
    )


def detected(*boxes: Box, **more: object) -> Prediction:
    return Prediction(model_version="v1", task=Task.DETECTION, boxes=boxes, **more)  # type: ignore[arg-type]  # each test names the fields it is about


def voice(drawing: Drawing, name: str) -> tuple[list[tuple[str, str]], str]:
    """Return the shapes of a voice, as (kind, path), and its words."""
    (layer,) = [layer for layer in drawing.layers if layer.voice == name]
    return [(shape.kind, shape.path) for shape in layer.shapes], layer.words


def test_of_what_nobody_said_anything_nothing_is_drawn() -> None:
    drawing = draw(shown(), Task.DETECTION)
    assert [layer.shapes for layer in drawing.layers] == [(), (), ()]
    assert drawing.words == "Nothing was said of it."


def test_prediction_is_drawn_in_pixels_of_the_stored_image() -> None:
    drawing = draw(shown(detected(PILL, image_size=(32, 24))), Task.DETECTION)
    assert voice(drawing, "model") == ([("box", "M4 8L12 8L12 16L4 16z")], "1 object")


def test_prediction_that_does_not_fit_its_image_is_told_and_not_drawn() -> None:
    far = Box(label="pill", x_min=700.0, y_min=4.0, x_max=706.0, y_max=8.0)
    drawing = draw(shown(detected(far)), Task.DETECTION)
    assert voice(drawing, "model") == ([], "1 object")
    assert drawing.fault


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (detected(), "no objects"),
        (Prediction(model_version="v1", task=Task.COUNTING, count=1200), "1,200 objects"),
        (Prediction(model_version="v1", task=Task.CLASSIFICATION, classes={"cat": 0.7, "dog": 0.3}), "cat 0.70"),
    ],
)
def test_model_is_told_in_words(said: Prediction, words: str) -> None:
    assert voice(draw(shown(said), Task.DETECTION), "model")[1] == words


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"action": "add", "label": "pill", "x_min": 9.0, "y_min": 9.0, "x_max": 12.0, "y_max": 12.0}, "box"),
        ({"action": "move", "target": 0, "x_min": 9.0, "y_min": 9.0, "x_max": 12.0, "y_max": 12.0}, "box"),
        ({"action": "remove", "target": 0}, "gone"),
    ],
)
def test_only_what_the_user_changed_is_drawn_of_it(change: dict[str, object], kind: str) -> None:
    correction = TypeAdapter(Correction).validate_python({"boxes": [change]}, strict=False)
    drawing = draw(shown(detected(PILL), correction=correction, verdict="corrected"), Task.DETECTION)
    path = "M2 4L6 4L6 8L2 8z" if kind == "gone" else "M9 9L12 9L12 12L9 12z"
    assert voice(drawing, "user")[0] == [(kind, path)]


def test_spot_of_a_user_is_a_dot() -> None:
    correction = Correction(points=[Point(x=3.0, y=5.0)])
    drawing = draw(shown(detected(PILL), correction=correction, verdict="corrected"), Task.DETECTION)
    assert voice(drawing, "user") == ([("spot", "M3 5h0")], "corrected: 2 objects")


@pytest.mark.parametrize(("verdict", "words"), [("confirmed", "confirmed"), ("rejected", "rejected")])
def test_verdict_alone_is_told(verdict: str, words: str) -> None:
    assert voice(draw(shown(detected(PILL), verdict=verdict), Task.DETECTION), "user") == ([], words)


def test_annotators_objects_of_every_kind_are_drawn() -> None:
    mask = rle.encode(np.array([[True, False], [False, False]]))
    annotation = Annotation(
        polygons=(Polygon(label="pill", points=[(0.0, 0.0), (4.0, 0.0), (0.0, 3.0)]),),
        masks=(Mask(label="pill", rle=mask),),
        keypoints=(Keypoint(label="tip", x=1.0, y=2.0),),
    )
    shapes, words = voice(draw(shown(annotation=annotation), Task.SEGMENTATION), "annotator")
    assert shapes == [("box", "M0 0L4 0L0 3z"), ("area", "M0 0h1v1h-1z"), ("spot", "M1 2h0")]
    assert words == "3 objects"


def test_annotated_class_is_told() -> None:
    drawing = draw(shown(annotation=Annotation(labels=("cat",))), Task.CLASSIFICATION)
    assert drawing.words == "Annotator: cat."


def test_large_mask_is_drawn_coarsely() -> None:
    path = mask_path(rle.encode(np.ones((1600, 1600), dtype=np.bool_)))
    assert path.count("M") == 160
    assert path.startswith("M0 0h1600v10h-1600z")
