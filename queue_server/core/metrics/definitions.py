"""All metrics that are built in: what each is of, its unit, its range, what it means."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

#: grows when a definition changes: what was measured by an older one is measured again
VERSION = 1
#: before the name of a metric that is not built in
CUSTOM = "custom."


class Of(StrEnum):
    """What a metric is measured on."""

    IMAGE = "image"
    PREDICTION = "prediction"
    ANNOTATION = "annotation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One number of a sample; None where it cannot be told."""

    name: str
    of: Of
    #: "" for shares, scores and counts
    unit: str
    #: the range of its values; None: no bound
    low: float | None
    high: float | None
    words: str
    #: it hangs on the other samples: a job works it out
    is_relative: bool = False
    #: values far from the others are odd; not so where a value means nothing, or is one of two
    has_outliers: bool = True


def _made(of: Of, *rows: tuple[str, str, float | None, float | None, str], **more: bool) -> tuple[Metric, ...]:
    return tuple(
        Metric(name=name, of=of, unit=unit, low=low, high=high, words=words, **more)
        for name, unit, low, high, words in rows
    )


_IMAGE = _made(
    Of.IMAGE,
    ("area", "px²", 1, None, "width × height"),
    ("aspect_ratio", "", 0, None, "width ÷ height"),
    ("brightness", "", 0, 1, "mean of all channels"),
    ("contrast", "", 0, 1, "standard deviation of all channels"),
    ("sharpness", "", 0, None, "variance of the Laplacian of the grey image, its longer side 192 px"),
    ("blur", "", None, 1, "1 − sharpness"),
    ("red", "", 0, 1, "share of pixels of a red hue"),
    ("green", "", 0, 1, "share of pixels of a green hue"),
    ("blue", "", 0, 1, "share of pixels of a blue hue"),
    ("dark_score", "", 0, 1, "99th percentile of perceived brightness: dark below 0.32"),
    ("light_score", "", 0, 1, "1 − 5th percentile of perceived brightness: too light below 0.05"),
    ("odd_aspect_score", "", 0, 1, "shorter ÷ longer side: odd below 0.35"),
    ("low_information_score", "", 0, 1, "entropy of the histogram ÷ 10: little to see below 0.3"),
    ("blurry_score", "", 0, 1, "edges and spread of the histogram at 64 px: blurred below 0.29"),
)
_IMAGE_MARKS = _made(
    Of.IMAGE,
    ("random", "", 0, 1, "uniform, the same for a sample ever after: to draw at random"),
    ("grayscale", "", 0, 1, "1: it has no colour channels"),
    ("exact_duplicate", "", 0, 1, "1: an earlier sample of the project has the same bytes"),
    ("near_duplicate", "", 0, 1, "1: an earlier one has other bytes and the same perceptual hash"),
    has_outliers=False,
)
_IMAGE_RELATIVE = _made(
    Of.IMAGE,
    ("novelty", "", 0, 2, "cosine distance of its embedding to the nearest other one"),
    ("diversity", "", 0, 1, "how early it comes in a choice that takes from every cluster of embeddings in turn"),
    is_relative=True,
)
_PREDICTION = _made(
    Of.PREDICTION,
    ("entropy", "bits", 0, None, "−Σ p log₂ p, mean over objects"),
    ("least_confidence", "", 0, 1, "1 − the highest p, mean over objects"),
    ("margin", "", 0, 1, "the highest p − the next, mean over objects: unsure near 0"),
    ("variance", "", 0, 0.25, "variance of p, mean over objects: unsure near 0"),
    ("mean_object_confidence", "", 0, 1, "mean over objects, 0 where none was found"),
    ("object_count", "", 0, None, "how many objects the model saw"),
    ("frame_density", "%", 0, 100, "how much of the image its objects cover together"),
)
_ANNOTATION = _made(
    Of.ANNOTATION,
    ("annotated_count", "", 0, None, "how many objects the annotator saw"),
    ("annotated_labels", "", 0, None, "how many different labels"),
    ("annotated_density", "%", 0, 100, "how much of the image the objects cover together"),
    ("annotated_area_px", "px²", 0, None, "area of an object, mean"),
    ("annotated_area_percent", "%", 0, 100, "area of an object by that of the image, mean"),
    ("smallest_area_percent", "%", 0, 100, "of the smallest object"),
    ("largest_area_percent", "%", 0, 100, "of the largest object"),
    ("annotated_aspect_ratio", "", 0, None, "width ÷ height of an object, mean"),
    ("border_closeness", "", 0, 1, "how near the nearest object comes to the image's border, 1: touches it"),
    ("duplicate_overlap", "", 0, 1, "highest IoU of two objects of one label: drawn twice from 0.6"),
)
_ANNOTATION_RELATIVE = _made(
    Of.ANNOTATION,
    ("label_quality", "", 0, 1, "share of the 9 nearest annotated samples, by embedding, with the same label"),
    ("shape_closeness", "", 0, None, "1 ÷ distance of an object's Hu moments to the mean of its label, the least"),
    ("polygon_similarity", "", -1, 1, "cosine of an outline's Hu moments to those before it in its stream, the least"),
    ("missing_object", "", 0, None, "objects that are there in the frames before and after, and not in this one"),
    ("inconsistent_label", "", 0, None, "objects that have another label than at the same place in the frame before"),
    is_relative=True,
)

#: by name, in the order of the documentation
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            *_IMAGE,
            *_IMAGE_MARKS,
            *_IMAGE_RELATIVE,
            *_PREDICTION,
            *_ANNOTATION,
            *_ANNOTATION_RELATIVE,
        )
    }
)


def random_value(sample_id: UUID) -> float:
    """Return a number in [0, 1) that is the same for a sample ever after, and told by nothing else about it.

    >>> round(random_value(UUID(int=1)), 6)
    0.435046
    """
    return int.from_bytes(hashlib.sha256(b"lookswrong-random-metric" + sample_id.bytes).digest()[:7]) / 2**56
