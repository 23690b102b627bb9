"""The pill counter's photos and its model."""

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.pill_counter import evaluate, photos, train
from examples.pill_counter.exports import ExportError, read_export
from examples.pill_counter.matching import match, overlap
from examples.pill_counter.model import CountingModel, ModelError
from examples.pill_counter.photos import Photo, PhotoError
from examples.pill_counter.trays import HEIGHT_PX, WIDTH_PX, draw_tray
from feedback_sdk.wire import to_wire
from tests.e2e import pill_counting
from tests.e2e.pill_counting import box


def jpeg(size: tuple[int, int], *, orientation: int | None = None) -> bytes:
    image, file, exif = Image.new("RGB", size, "grey"), io.BytesIO(), Image.Exif()
    image.putpixel((0, 0), (255, 0, 0))
    if orientation is not None:
        exif[0x0112] = orientation
    image.save(file, "JPEG", exif=exif)
    return file.getvalue()


def grey(image_bytes: bytes) -> np.ndarray:
    return np.asarray(photos.open_image(image_bytes).convert("L"), float)


def test_a_tray_is_the_same_for_the_same_seed_and_another_for_the_next() -> None:
    assert draw_tray(7) == draw_tray(7)
    assert draw_tray(7).image_bytes != draw_tray(8).image_bytes


def test_a_tray_may_be_empty() -> None:
    assert draw_tray(3, count=0).truth == ()


def test_trays_hold_zero_to_thirty_five_objects_of_both_labels() -> None:
    truths = [photo.truth for photo in pill_counting.trays(12)]
    assert all(len(truth) <= 35 for truth in truths)
    assert {item.label for truth in truths for item in truth} == {"pill", "capsule"}
    assert len({len(truth) for truth in truths}) > 6


def test_truth_boxes_lie_on_the_tray() -> None:
    for photo in pill_counting.trays(12):
        assert photos.open_image(photo.image_bytes).size == (WIDTH_PX, HEIGHT_PX)
        assert all(item.x_min >= 0 and item.y_min >= 0 for item in photo.truth)
        assert all(item.x_max <= WIDTH_PX and item.y_max <= HEIGHT_PX for item in photo.truth)


def contrast(shown: np.ndarray, x: float, y: float) -> float:
    """Return how far the colour at a place is from what is typical of the photo, in grey levels of 255."""
    patch = shown[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5]
    return float(np.abs(patch.mean(axis=(0, 1)) - np.median(shown, axis=(0, 1))).max())


def test_truth_boxes_lie_on_the_objects() -> None:
    inside, beside = [], []
    for photo in pill_counting.trays(12):
        shown = np.asarray(photos.open_image(photo.image_bytes), float)
        middles = [((item.x_min + item.x_max) / 2, (item.y_min + item.y_max) / 2) for item in photo.truth[:5]]
        inside += [contrast(shown, x, y) for x, y in middles]
        for x, y in itertools.product((80, 320, 560), (80, 240, 400)):
            if not any(
                item.x_min - 9 < x < item.x_max + 9 and item.y_min - 9 < y < item.y_max + 9 for item in photo.truth
            ):
                beside.append(contrast(shown, x, y))
    assert np.mean(np.array(inside) > 30) > 0.85
    assert np.mean(np.array(beside) > 30) < 0.25


def test_the_coins_are_twenty_four() -> None:
    photo = photos.coins().read("coins")
    width, height = photos.open_image(photo.image_bytes).size
    assert len(photo.truth) == 24
    assert all(item.x_max <= width and item.y_max <= height for item in photo.truth)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"GIF89a", jpeg((64, 64))[:200]])
def test_a_broken_photo_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(PhotoError, match="must be"):
        photos.open_image(content)


def test_jitter_keeps_the_truth_on_the_same_objects() -> None:
    image = Image.new("L", (200, 100), 60)
    image.paste(220, (20, 30, 60, 50))
    file = io.BytesIO()
    image.save(file, "PNG")
    photo = Photo(name="square", image_bytes=file.getvalue(), truth=(box(20, 30, 20), box(40, 30, 20)))
    for seed in range(12):
        varied = photos.jitter(photo, seed=seed)
        shown = grey(varied.image_bytes)
        for item in varied.truth:
            inside = shown[round(item.y_min) + 2 : round(item.y_max) - 2, round(item.x_min) + 2 : round(item.x_max) - 2]
            assert inside.mean() > 2 * np.median(shown)


def test_repeated_photos_differ_in_bytes_and_are_the_same_next_time() -> None:
    first = [photo.image_bytes for photo in photos.coins().photos(6)]
    assert len(set(first)) == 6
    assert first == [photo.image_bytes for photo in photos.coins().photos(6)]


def test_an_empty_album_gives_no_photos() -> None:
    assert list(photos.drawn_trays(0, number=0).photos(5)) == []


def folder(path: Path, labels: dict[str, str | None], *, orientation: int | None = None) -> Path:
    """Make a folder of photos (80 x 60 px as stored) with YOLO labels; None: a photo without a label file."""
    (path / "images").mkdir(parents=True)
    (path / "labels").mkdir()
    for name, text in labels.items():
        (path / "images" / f"{name}.jpg").write_bytes(jpeg((80, 60), orientation=orientation))
        if text is not None:
            (path / "labels" / f"{name}.txt").write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        (None, None),
        ("", ()),
        ("3 0.5 0.5 0.5 0.5\n", ((20.0, 15.0, 60.0, 45.0),)),
        ("0 0.0 0.0 0.5 0.5\n", ((0.0, 0.0, 20.0, 15.0),)),
        ("0 0.25 0.5 0.75 0.5 0.5 1.0\n", ((20.0, 30.0, 60.0, 60.0),)),
    ],
)
def test_yolo_labels_become_truth_boxes(tmp_path: Path, text: str | None, truth: tuple | None) -> None:
    photo = photos.folder(folder(tmp_path, {"a": text})).read("a.jpg")
    found = photo.truth and tuple((item.x_min, item.y_min, item.x_max, item.y_max) for item in photo.truth)
    assert (photo.truth if not photo.truth else found) == truth


def test_yolo_labels_refer_to_the_oriented_photo(tmp_path: Path) -> None:
    photo = photos.folder(folder(tmp_path, {"a": "0 0.5 0.5 1 1"}, orientation=6)).read("a.jpg")
    assert (photo.truth[0].x_max, photo.truth[0].y_max) == (60.0, 80.0)


def test_a_broken_label_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"'0 0\.5'"):
        photos.folder(folder(tmp_path, {"a": "0 0.5"})).read("a.jpg")


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="must hold photos"):
        photos.folder(tmp_path)


def test_the_parts_of_a_folder_share_no_photo_and_no_variant_of_one(tmp_path: Path) -> None:
    names = {f"p{number}.rf.{variant}": None for number in range(30) for variant in "ab"}
    album = photos.folder(folder(tmp_path, names))
    shares = photos.split(album)
    parts = [
        {name.split(".rf.")[0] for name in part.names} for part in (shares.starter, shares.production, shares.holdout)
    ]
    assert sum(map(len, parts)) == 30 == len(set.union(*parts))
    assert all(parts)


@pytest.mark.parametrize(
    ("other", "share"), [(box(20, 0), 0.0), (box(10, 0), 0.0), (box(0, 0), 1.0), (box(5, 0), 1 / 3)]
)
def test_overlap_is_intersection_over_union(other: object, share: float) -> None:
    assert overlap(box(0, 0), other) == pytest.approx(share)


def test_the_closest_boxes_are_paired_once() -> None:
    assert match([], [box(0, 0)], at_least=0.1) == {}
    assert match([box(4, 0), box(1, 0)], [box(0, 0)], at_least=0.1) == {1: 0}


def test_the_model_beats_a_constant_guess_on_new_trays() -> None:
    holdout = pill_counting.trays(8, first_seed=photos.HOLDOUT_SEED)
    counts = np.array([len(photo.truth) for photo in holdout])
    scores = evaluate.judge(pill_counting.model(), holdout)
    assert scores["mae"] < 0.5 * np.abs(counts - np.median(counts)).mean()
    assert 0.2 < scores["exact"] < 1.0


def test_a_prediction_counts_its_boxes_in_pixels_of_the_photo() -> None:
    photo = max(pill_counting.trays(12), key=lambda tray: len(tray.truth))
    said = pill_counting.model().predict(photo.image_bytes)
    assert said.count == len(said.boxes) > 10
    assert said.image_size == (WIDTH_PX, HEIGHT_PX)
    assert 0.0 <= said.confidence <= 1.0
    assert all(0 <= item.x_min < item.x_max <= WIDTH_PX and 0.5 <= item.confidence <= 1 for item in said.boxes)
    assert json.loads(json.dumps(to_wire(said)))["task"] == "detection"


def test_a_tray_without_objects_is_predicted_empty_without_confidence() -> None:
    grey_photo = Image.new("RGB", (320, 240), (120, 120, 120))
    said = pill_counting.model().predict(grey_photo)
    assert (said.count, said.boxes, said.confidence) == (0, (), None)


def test_a_saved_model_predicts_the_same(tmp_path: Path) -> None:
    photo = pill_counting.trays(12)[0]
    pill_counting.model().save(tmp_path / "m")
    assert CountingModel.load(tmp_path / "m").predict(photo.image_bytes) == pill_counting.model().predict(
        photo.image_bytes
    )


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="must be one that train wrote"):
        CountingModel.load(tmp_path / "m")


def test_photos_without_objects_cannot_be_learned_from() -> None:
    empty = Photo(name="empty", image_bytes=jpeg((80, 60)), truth=())
    with pytest.raises(ModelError, match="at least one labeled object"):
        CountingModel.train([empty], model_version="v1")


def export(path: Path, tray: Photo) -> Path:
    """Write a COCO export: the tray in train, an empty photo in val, another in test."""
    (path / "annotations").mkdir(parents=True)
    (path / "images").mkdir()
    for name, image_bytes in {"a.jpg": tray.image_bytes, "b.jpg": jpeg((80, 60)), "c.jpg": jpeg((80, 60))}.items():
        (path / "images" / name).write_bytes(image_bytes)
    bboxes = [[item.x_min, item.y_min, item.x_max - item.x_min, item.y_max - item.y_min] for item in tray.truth]
    annotations = [{"id": n, "image_id": 1, "category_id": 2, "bbox": bbox} for n, bbox in enumerate(bboxes)]
    for number, (split, name) in enumerate((("train", "a.jpg"), ("val", "b.jpg"), ("test", "c.jpg")), start=1):
        document = {
            "images": [{"id": number, "file_name": name, "sample_id": "x"}],
            "categories": [{"id": 1, "name": "capsule"}, {"id": 2, "name": "pill"}],
            "annotations": annotations if number == 1 else [],
        }
        (path / "annotations" / f"{split}.json").write_text(json.dumps(document))
    return path


def test_an_export_is_read_without_its_test_split(tmp_path: Path) -> None:
    tray = pill_counting.trays(12)[0]
    read = read_export(export(tmp_path, tray))
    assert [photo.name for photo in read] == ["a.jpg", "b.jpg"]
    assert read[1].truth == ()
    assert [round(item.x_max, 3) for item in read[0].truth] == [round(item.x_max, 3) for item in tray.truth]
    assert {item.label for item in read[0].truth} == {"pill"}


def test_an_export_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"train\.json"):
        read_export(tmp_path)


def test_training_on_a_small_export_adds_trays_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = export(tmp_path / "export", pill_counting.trays(12)[0])
    arguments = ["--export", str(source), "--model-version", "v2", "--out", str(tmp_path / "v2"), "--json", "-"]
    assert train.main(arguments) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["photos"], report["added_trays"], report["model_version"]) == (2 + 6, 6, "v2")
    assert "the export is small (2 photos)" in said.err
    assert CountingModel.load(tmp_path / "v2").model_version == "v2"


def test_evaluate_judges_by_model_version(tmp_path: Path) -> None:
    pill_counting.model().save(tmp_path / "m")
    arguments = [str(tmp_path / "m"), "--photos", "3", "--json", str(tmp_path / "scores.json")]
    assert evaluate.main(arguments) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())["v1"]
    assert scores["photos"] == 3
    assert {"mae", "exact", "bias", "seconds_per_photo"} <= set(scores)


def test_training_from_nothing_ends_with_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--model-version", "v", "--out", str(tmp_path / "m")]) == 1
    assert "train: the photos must show at least one labeled object" in capsys.readouterr().err
