"""What the model, the user and the annotator say of one image, as shapes to draw over it and in words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from feedback_sdk import types
from feedback_sdk.errors import ValidationError
from queue_server.core import datasets, geometry, proposals, rle
from queue_server.core.annotation import Annotation
from queue_server.core.label_config import USER_ADDED, USER_MOVED, USER_REMOVED
from queue_server.core.proposals import Proposal, UserVerdict
from queue_server.core.shapes import corners
from queue_server.store import feedback
from queue_server.store.annotations import candidates
from queue_server.store.gallery import Shown

_PREDICTION = TypeAdapter(types.Prediction)
_CORRECTION = TypeAdapter(types.Correction)
_Item = types.Box | types.Polygon | types.Mask | types.Keypoint
#: a mask is drawn from so many rows and columns at most
_MASK_SIDE = 160
#: more shapes than that are not drawn
_MOST_SHAPES = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One object: an SVG path in pixels of the image, and what a pointer over it is told."""

    path: str
    words: str
    #: box, gone (what a user took away), spot or area
    kind: str = "box"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """What one voice says."""

    #: model, user or annotator
    voice: str
    shapes: tuple[Shape, ...]
    #: such as "3 objects", "30", "cat 0.92"; empty: it said nothing
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """The layers over an image of this size; without an image the words alone."""

    width: int
    height: int
    layers: tuple[Layer, ...]
    #: why the prediction cannot be drawn; None: it can
    fault: str | None = None

    @property
    def words(self) -> str:
        """Return what is drawn, for those who do not see it.

        >>> Drawing(width=4, height=3, layers=(Layer(voice="model", shapes=(), words="2 objects"),)).words
        'Model: 2 objects.'
        """
        said = [f"{layer.voice.capitalize()}: {layer.words}." for layer in self.layers if layer.words]
        return " ".join(said) or "Nothing was said of it."


def draw(shown: Shown, task: types.Task) -> Drawing:
    """Draw what was said of a sample; a prediction that does not fit its image is told, not drawn."""
    size = (shown.image.width, shown.image.height) if shown.image is not None else (1, 1)
    said = _PREDICTION.validate_python(shown.prediction.document, strict=False) if shown.prediction else None
    fault, placed = None, said
    if said is not None and shown.image is not None:
        try:
            placed = geometry.place_prediction(said, width=size[0], height=size[1])
        except ValidationError as error:
            fault, placed = error.message, None
    proposal = Proposal(
        sample_id=str(shown.sample.sample_id),
        image_url="",
        width=size[0],
        height=size[1],
        reason="",
        prediction=placed,
        verdicts=_verdicts(shown, said, size),
    )
    chosen = datasets.choose_annotation(candidates(shown.annotations), task=task)
    layers = (_model(proposal, said), _user(proposal), _annotator(chosen.annotation if chosen else None))
    return Drawing(width=size[0], height=size[1], layers=layers, fault=fault)


def _verdicts(shown: Shown, said: types.Prediction | None, size: tuple[int, int]) -> list[UserVerdict]:
    found = []
    for row in feedback.last_words(shown.feedback):
        correction = None
        if row.correction is not None:
            given = _CORRECTION.validate_python(row.correction, strict=False)
            try:
                correction = geometry.place_correction(given, said, width=size[0], height=size[1])
            except ValidationError:
                correction = None
        found.append(UserVerdict(verdict=types.Verdict(row.verdict), reporter=row.reporter, correction=correction))
    return found


def _model(proposal: Proposal, said: types.Prediction | None) -> Layer:
    shapes = [_shape(region.item) for region in proposals.model_regions(proposal)[:_MOST_SHAPES]]
    return Layer(voice="model", shapes=tuple(shapes), words=_model_words(said))


def _model_words(said: types.Prediction | None) -> str:
    if said is None:
        return ""
    labels = proposals.model_labels(said)
    if labels:
        probabilities = said.classes or {}
        return ", ".join(f"{label} {probabilities[label]:.2f}" for label in labels)
    count = proposals.model_count(said)
    return _counted(count) if count is not None else "no objects looked for"


_ACTS = {USER_ADDED: "added", USER_MOVED: "moved", USER_REMOVED: "removed"}


def _user(proposal: Proposal) -> Layer:
    changed = [region for region in proposals.shown_regions(proposal) if region.source in _ACTS]
    shapes = [_shape(region.item, act=_ACTS[region.source or ""]) for region in changed]
    shapes += [_spot(point.x, point.y, "something was missed here") for point in proposals.spots(proposal)]
    return Layer(voice="user", shapes=tuple(shapes[:_MOST_SHAPES]), words=_user_words(proposal))


def _user_words(proposal: Proposal) -> str:
    verdicts = [str(said.verdict) for said in proposal.verdicts]
    if not verdicts:
        return ""
    words = ", ".join(dict.fromkeys(verdicts))
    count = proposals.user_count(proposal)
    named = [one.label for one in proposals.corrections(proposal) if one.label is not None]
    if named:
        return f"{words}: {named[-1]}"
    return f"{words}: {_counted(count)}" if count is not None else words


def _annotator(annotation: Annotation | None) -> Layer:
    if annotation is None:
        return Layer(voice="annotator", shapes=(), words="")
    items: list[_Item] = [*annotation.boxes, *annotation.polygons, *annotation.masks, *annotation.keypoints]
    words = ", ".join(annotation.labels) or _counted(annotation.object_count)
    return Layer(voice="annotator", shapes=tuple(_shape(item) for item in items[:_MOST_SHAPES]), words=words)


def _counted(count: int) -> str:
    return {0: "no objects", 1: "1 object"}.get(count, f"{count:,} objects")


def _shape(item: _Item, act: str = "") -> Shape:
    confidence = getattr(item, "confidence", None)
    words = " ".join([*([act] if act else []), item.label, *([f"{confidence:.2f}"] if confidence is not None else [])])
    if isinstance(item, types.Keypoint):
        return _spot(item.x, item.y, words)
    if isinstance(item, types.Mask):
        return Shape(path=mask_path(item.rle), words=words, kind="area")
    points: Iterable[Sequence[float]] = corners(item) if isinstance(item, types.Box) else item.points
    return Shape(path=_closed(points), words=words, kind="gone" if act == "removed" else "box")


def _spot(x: float, y: float, words: str) -> Shape:
    # A line of no length: its round cap is a dot of the same size however the image is scaled.
    return Shape(path=f"M{x:g} {y:g}h0", words=words, kind="spot")


def _closed(points: Iterable[Sequence[float]]) -> str:
    return "M" + "L".join(f"{round(x, 1):g} {round(y, 1):g}" for x, y in points) + "z"


def mask_path(encoded: types.Rle) -> str:
    """Return a mask as an SVG path of its rows' runs, as coarse as a person can see.

    >>> mask_path(rle.encode(np.array([[False, True, True], [False, False, False]])))
    'M1 0h2v1h-2z'
    """
    mask = rle.decode(encoded)
    step = max(1, -(-max(mask.shape) // _MASK_SIDE))
    return "".join(
        f"M{start * step} {row * step}h{(end - start) * step}v{step}h{(start - end) * step}z"
        for row, line in enumerate(mask[::step, ::step])
        for start, end in _runs(line)
    )


def _runs(line: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], line, [False])).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
