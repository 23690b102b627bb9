"""How good each model version is in each slice, which slices are worst, and which metrics tell of errors."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from sqlmodel import Session

from queue_server.core.estimate import difference, post_stratified
from queue_server.core.model_quality import Figure, Observation, strata
from queue_server.core.model_quality.figures import figure_of_interval, figure_of_share
from queue_server.core.model_quality.strata import ALMOST_SURE, band
from queue_server.core.slices import (
    FEWEST_ANNOTATED,
    Found,
    Importance,
    Slice,
    features,
    importance,
    read_slice,
    search,
)
from queue_server.core.slices.search import FAMILYWISE_ERROR_RATE
from queue_server.reports.narrowed import Narrowed, matured, within
from queue_server.store import condensed, quality, slices

#: metrics that are shown, those that tell most first
_MOST_METRICS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceQuality:
    """How good a model version is in a slice, and in all the rest of its samples."""

    name: str
    #: null: it is one of time or version alone
    condition: str | None
    samples: int
    #: the part of all frames that the version saw
    share: float
    accuracy: Figure
    rest: Figure
    #: the accuracy in the slice minus that of the rest
    difference: Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionSlices:
    """A model version in each of the project's slices."""

    model_version: str
    samples: int
    accuracy: Figure
    slices: list[SliceQuality]


@dataclass(frozen=True, kw_only=True, slots=True)
class WorstSlice(SliceQuality):
    """A slice that a search found; its own figures lean to the bad side, since it was chosen for being bad."""

    p_value: float
    #: by Holm, over all that were tested
    adjusted_p: float
    #: conditions that mean nearly the same samples
    also: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Worst:
    """The slices in which one model version errs more than elsewhere."""

    model_version: str
    #: how many conditions and pairs of conditions were tested, on how many annotated samples
    tested: int
    annotated: int
    #: how often such a search shows any slice that is chance
    familywise_error_rate: float
    #: the surest first
    slices: list[WorstSlice]
    #: the metrics that tell most of the version's errors first
    metrics: list[Importance]


@dataclass(frozen=True, kw_only=True, slots=True)
class SlicesReport:
    """The project's slices, and the worst ones of the version that is shown first."""

    made_at: datetime
    since: datetime
    #: the latest first
    versions: list[VersionSlices]
    #: null: nothing has come
    worst: Worst | None


def slices_report(session: Session, narrowed: Narrowed, *, project_id: int, now: datetime) -> SlicesReport:
    """Compare the slices of a project, and search for those that nobody named; within a slice, if one is named."""
    wanted = matured(session, narrowed, project_id=project_id, now=now)
    by_version = condensed.by_version(session, wanted)
    if narrowed.model_version is not None:
        by_version = {name: found for name, found in by_version.items() if name == narrowed.model_version}
    known = in_slices(session, wanted, by_version)
    return SlicesReport(
        made_at=now,
        since=wanted.since or now,
        versions=[
            VersionSlices(model_version=name, samples=_count(found), accuracy=accuracy(found), slices=known[name])
            for name, found in by_version.items()
        ],
        worst=worst(session, wanted, next(iter(by_version.values()))) if by_version else None,
    )


def in_slices(
    session: Session, wanted: quality.Matured, by_version: Mapping[str, Sequence[Observation]]
) -> dict[str, list[SliceQuality]]:
    """Return how good each version is in each of the project's slices that are not of another version."""
    found: dict[str, list[SliceQuality]] = {name: [] for name in by_version}
    for one in slices.of_project(session, wanted.project_id):
        inside = condensed.part(session, within(wanted, one), by_version)
        for name, known in found.items():
            if one.model_version in (None, name):
                known.append(_quality(one, by_version[name], inside[name]))
    return found


def worst(session: Session, wanted: quality.Matured, observed: Sequence[Observation]) -> Worst:
    """Search for the slices in which one version errs most, over its annotated samples."""
    weighted = {one.sample_id: (one, weight) for stratum in strata(observed) for one, weight in stratum.weights}
    described = slices.described(session, wanted.project_id, list(weighted))
    known = [weighted[sample_id] for sample_id in described]
    is_right = np.array([one.judged is not None and one.judged.is_right for one, _ in known], dtype=np.bool_)
    weights = np.array([weight for _, weight in known], dtype=np.float64)
    told = features(list(described.values()), fewest=FEWEST_ANNOTATED)
    searched = search(told.predicates, ~is_right, weights)
    return Worst(
        model_version=observed[0].model_version,
        tested=searched.tested,
        annotated=searched.annotated,
        familywise_error_rate=FAMILYWISE_ERROR_RATE,
        slices=[_found(session, wanted, one, observed) for one in searched.found],
        metrics=importance(told.numbers, is_right, weights)[:_MOST_METRICS],
    )


def _found(session: Session, wanted: quality.Matured, one: Found, observed: Sequence[Observation]) -> WorstSlice:
    version = observed[0].model_version
    made = read_slice("found", where=one.condition, model_version=version)
    inside = condensed.part(session, within(wanted, made), {version: observed})
    known = _quality(made, observed, inside[version])
    values = {name: getattr(known, name) for name in SliceQuality.__slots__} | {"name": one.condition}
    return WorstSlice(**values, p_value=one.p_value, adjusted_p=one.adjusted_p, also=list(one.also))


def _quality(known: Slice, observed: Sequence[Observation], inside: Sequence[Observation]) -> SliceQuality:
    own, rest = accuracy(inside), replace(accuracy(_rest(observed, inside)), name="rest")
    return SliceQuality(
        name=known.name,
        condition=known.where.text if known.where is not None else None,
        samples=_count(inside),
        share=_size(inside) / _size(observed),
        accuracy=own,
        rest=rest,
        difference=_difference(own, rest),
    )


def _rest(observed: Sequence[Observation], inside: Sequence[Observation]) -> list[Observation]:
    """Return the samples that are not inside; of those that are one observation, as many as are left."""
    ids = {one.sample_id for one in inside if one.sample_id}
    counts = Counter({_alike(one): one.count for one in inside if not one.sample_id})
    apart = [one for one in observed if one.sample_id and one.sample_id not in ids]
    alike = [(one, one.count - counts[_alike(one)]) for one in observed if not one.sample_id]
    return apart + [replace(one, count=left) for one, left in alike if left > 0]


def _alike(one: Observation) -> Hashable:
    """Return what samples that are one observation have in common, see `store.condensed`."""
    chance = one.drawn.probability
    reach = 0 if chance <= 0 else 1 if chance * one.capture_probability < ALMOST_SURE else chance
    return one.verdict, band(one.confidence), one.capture_probability, one.stands_for, reach, chance > 0


def accuracy(found: Sequence[Observation]) -> Figure:
    """Return the accuracy of a version over these samples."""
    return figure_of_share("accuracy", post_stratified([stratum.cell for stratum in strata(found)]))


def _count(found: Sequence[Observation]) -> int:
    return sum(one.count for one in found)


def _size(found: Sequence[Observation]) -> float:
    return sum(one.count * one.size for one in found)


def _difference(one: Figure, other: Figure) -> Figure:
    """Return how far one accuracy lies above the other; both stand on samples of their own."""
    ones, others = one.interval, other.interval
    found = difference(ones, others) if ones is not None and others is not None else None
    value = found.value if found is not None else None
    return figure_of_interval("difference", value, found, n=min(one.n, other.n), bounds=(-1.0, 1.0))
