"""Which items train, validate and test a model: decided by group, kept for ever.

A group is a subject, else a stream, else one sample, so near-copies never stand on both sides. Its split is a hash
of (salt, group) and is frozen at its first export. `test` holds audit draws that an annotator labelled and nothing
else, because only their chance of being there is known: each carries the weight `design_weight`.

Whether a group tests must hang on the hash alone. Were a group sent to `train` just because a rejected sample of it
came before its first audit draw, groups with many errors would be missing from `test`, and quality would look better
than it is. So a group that the hash sends to `test` is held out, unfrozen, until an audit draw of it is exported.
A group of one sample can never get an audit draw later: without one it trains.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from queue_server.core.datasets.items import Item, LabelSource
from queue_server.errors import ExportError


class Split(StrEnum):
    """A part of a data set, by the name that its files bear; `test` comes first where two claim an image."""

    TEST = "test"
    VALIDATION = "val"
    TRAIN = "train"


class WhyLeftOut(StrEnum):
    """Why an item is in no split."""

    #: its group is held out for `test`, which takes audit draws only
    NOT_AN_AUDIT_DRAW = "not_an_audit_draw"
    #: an audit draw of a test group that only a user vouches for
    NOT_ANNOTATED = "not_annotated"
    #: the same image bytes stand in another split, under another sample
    IMAGE_IN_ANOTHER_SPLIT = "image_in_another_split"


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """An item in its split; only test items have a weight."""

    item: Item
    split: Split
    weight: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Division:
    """Items divided into splits, by sample id; `frozen` is what to keep for the next export."""

    examples: tuple[Example, ...]
    left_out: Mapping[str, WhyLeftOut]
    frozen: Mapping[str, Split]


def group_key(*, sample_id: str, subject: str | None, stream: str | None) -> str:
    """Return the name of what must not be torn apart: the subject, else the stream, else the sample itself.

    >>> group_key(sample_id="a", subject=None, stream="door")
    'stream:door'
    """
    if subject is not None:
        return f"subject:{subject}"
    return f"sample:{sample_id}" if stream is None else f"stream:{stream}"


def design_weight(*, stands_for: int, audit_probability: float, capture_probability: float) -> float:
    """Return how many production frames an audit draw speaks for: stands_for / (audit × capture probability).

    In `test` an item is there because its audit drew it, so the audit's own probability counts, not the sample's π
    over all rules. Averages are to be Hájek's, Σwy / Σw (Hájek 1971): the share of groups that test is the same for
    all and cancels. A total Σwy (Horvitz and Thompson 1952) must be divided by that share too. Audit draws that
    nobody has labelled yet are missing from both, and an error bar must treat a group as one cluster.

    >>> design_weight(stands_for=3, audit_probability=0.25, capture_probability=0.5)
    24.0
    """
    return stands_for / (audit_probability * capture_probability)


def assign(
    groups: Mapping[str, bool],
    *,
    frozen: Mapping[str, Split],
    salt: str,
    test_share: float = 0.2,
    validation_share: float = 0.1,
) -> dict[str, Split]:
    """Return the split of each group (name -> whether it has an audit draw); a frozen one keeps its own.

    A group that is held out until it has an audit draw is not in the result. Raises ExportError for shares that
    leave nothing to train.

    >>> assign({"sample:a": False, "sample:b": False}, frozen={"sample:b": Split.VALIDATION}, salt="s")
    {'sample:a': <Split.TRAIN: 'train'>, 'sample:b': <Split.VALIDATION: 'val'>}
    """
    if not (test_share >= 0 and validation_share >= 0 and test_share + validation_share < 1):
        raise ExportError(
            f"test_share and validation_share must be >= 0 and add up to < 1, got {test_share} and {validation_share}"
        )
    # Of what does not test, so that validation gets its share of the whole.
    validation_share /= 1 - test_share
    splits = dict(frozen)
    for group in groups.keys() - frozen.keys():
        if _unit(group, salt=salt, purpose="test") < test_share and (groups[group] or not _is_single(group)):
            # Without an audit draw it is held out: neither trains nor is frozen.
            splits |= {group: Split.TEST} if groups[group] else {}
        elif _unit(group, salt=salt, purpose="validation") < validation_share:
            splits[group] = Split.VALIDATION
        else:
            splits[group] = Split.TRAIN
    return {group: splits[group] for group in sorted(groups) if group in splits}


def divide(
    items: Iterable[Item],
    *,
    frozen: Mapping[str, Split],
    salt: str,
    test_share: float = 0.2,
    validation_share: float = 0.1,
) -> Division:
    """Put each item into a split or say why it is in none.

    1. Groups are assigned; `frozen` holds them by `group_key`, and images as "image:" + sha256.
    2. In a test group only annotated audit draws stay.
    3. An image stays in the split where it was first, so no copy of a test image trains under another name.

    >>> divide([], frozen={}, salt="s").examples
    ()
    """
    items = sorted(items, key=lambda item: item.sample_id)
    groups: dict[str, bool] = {}
    for item in items:
        groups[_group(item)] = groups.get(_group(item), False) or item.is_audit
    splits = assign(groups, frozen=frozen, salt=salt, test_share=test_share, validation_share=validation_share)
    placed = [(item, _place(item, splits.get(_group(item)))) for item in items]
    images = _assign_images(placed, frozen)
    placed = [(item, _keep_apart(split, images.get(_image_key(item)))) for item, split in placed]
    return Division(
        examples=tuple(_example(item, split) for item, split in placed if isinstance(split, Split)),
        left_out={item.sample_id: why for item, why in placed if isinstance(why, WhyLeftOut)},
        frozen=dict(sorted((splits | images).items())),
    )


def _unit(group: str, *, salt: str, purpose: str) -> float:
    """Return a number in [0, 1) that is uniform over groups and independent between purposes."""
    digest = hashlib.sha256(f"{salt}\0{purpose}\0{group}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def _group(item: Item) -> str:
    return group_key(sample_id=item.sample_id, subject=item.subject, stream=item.stream)


def _is_single(group: str) -> bool:
    return group.startswith("sample:")


def _place(item: Item, split: Split | None) -> Split | WhyLeftOut:
    """Return where an item of a group in `split` (None: held out) goes."""
    if split in (Split.TRAIN, Split.VALIDATION):
        return split
    if not item.is_audit:
        return WhyLeftOut.NOT_AN_AUDIT_DRAW
    return Split.TEST if item.label_source is LabelSource.ANNOTATOR else WhyLeftOut.NOT_ANNOTATED


def _image_key(item: Item) -> str:
    return f"image:{item.image_sha256}"


def _assign_images(placed: Iterable[tuple[Item, Split | WhyLeftOut]], frozen: Mapping[str, Split]) -> dict[str, Split]:
    """Return the one split of each image: the frozen one, else of those that claim it now the first in `Split`."""
    images: dict[str, Split] = {}
    order = list(Split)
    for item, split in placed:
        if isinstance(split, Split):
            key = _image_key(item)
            images[key] = frozen.get(key) or min(split, images.get(key, split), key=order.index)
    return images


def _keep_apart(split: Split | WhyLeftOut, image_split: Split | None) -> Split | WhyLeftOut:
    if isinstance(split, Split) and split is not image_split:
        return WhyLeftOut.IMAGE_IN_ANOTHER_SPLIT
    return split


def _example(item: Item, split: Split) -> Example:
    if split is not Split.TEST:
        return Example(item=item, split=split, weight=None)
    assert item.audit_probability is not None
    weight = design_weight(
        stands_for=item.stands_for,
        audit_probability=item.audit_probability,
        capture_probability=item.capture_probability,
    )
    return Example(item=item, split=split, weight=weight)
