"""The figures that an alert may watch, by name, and one of them as it is now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from queue_server.core.metrics import CUSTOM, METRICS

_DAY = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureNow:
    """A figure as it is now, with its interval where it has one; `value` None: too little is known."""

    value: float | None
    low: float | None = None
    high: float | None = None
    #: what it stands on: annotations, answers, samples
    n: int = 0
    #: of what came from then on; None: of what is there now
    since: datetime | None = None


class Unit(StrEnum):
    """How a figure is said."""

    SHARE = "share"
    COUNT = "count"
    NUMBER = "number"
    SECONDS = "seconds"


class Source(StrEnum):
    """What has to be read for a figure: what is read once serves all figures of that source."""

    QUALITY = "quality"
    USERS = "users"
    QUEUE = "queue"
    METRICS = "metrics"
    DRIFT = "drift"


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureKind:
    """What a figure is, over how much time, and how often it is worth reading."""

    about: str
    unit: Unit
    source: Source
    #: the stretch that it is of, where a rule says nothing; None: it is of now
    over_seconds: float | None = None
    #: how long one reading holds: reports over a month of samples cost more than a count
    pace_seconds: float = 60.0

    @property
    def is_widened(self) -> bool:
        """Tell whether its interval is one of 95% for a single look; what drift says holds at all times.

        >>> FIGURES["accuracy"].is_widened, FIGURES["rejection_change"].is_widened
        (True, False)
        """
        return self.source in (Source.QUALITY, Source.USERS, Source.METRICS)

    @property
    def bounds(self) -> tuple[float, float]:
        """Return between what it can be.

        >>> FIGURES["accuracy"].bounds
        (0.0, 1.0)
        """
        return (0.0, 1.0) if self.unit is Unit.SHARE else (float("-inf"), float("inf"))


def _quality(about: str, unit: Unit = Unit.SHARE) -> FigureKind:
    return FigureKind(about=about, unit=unit, source=Source.QUALITY, over_seconds=30 * _DAY, pace_seconds=3600.0)


def _users(about: str, unit: Unit = Unit.SHARE, *, over_seconds: float = 7 * _DAY) -> FigureKind:
    return FigureKind(about=about, unit=unit, source=Source.USERS, over_seconds=over_seconds, pace_seconds=300.0)


def _queue(about: str, unit: Unit = Unit.COUNT) -> FigureKind:
    return FigureKind(about=about, unit=unit, source=Source.QUEUE)


def _drift(about: str, unit: Unit = Unit.NUMBER) -> FigureKind:
    # Its tests are made for one look a day.
    return FigureKind(about=about, unit=unit, source=Source.DRIFT, over_seconds=7 * _DAY, pace_seconds=_DAY)


#: name -> figure
FIGURES: Mapping[str, FigureKind] = {
    "accuracy": _quality("the share of predictions that an annotator leaves as they are, over all that came"),
    "accuracy_change": FigureKind(
        about="the accuracy minus that of the version before",
        unit=Unit.NUMBER,
        source=Source.QUALITY,
        over_seconds=30 * _DAY,
        pace_seconds=3600.0,
    ),
    "exact_count": _quality("the share of counts that are right"),
    "count_within_one": _quality("the share of counts that are right or off by one"),
    "count_mean_absolute_error": _quality("how far counts are off", Unit.NUMBER),
    "count_bias": _quality("the predicted count minus the true one", Unit.NUMBER),
    "precision": _quality("the share of predicted boxes that are right"),
    "recall": _quality("the share of objects that are found"),
    "f1": _quality("precision and recall in one"),
    "ap50": _quality("average precision at an IoU of 0.5"),
    "ap": _quality("average precision by COCO's rules"),
    "mask_iou": _quality("how well masks cover"),
    "unfinished": _quality("tasks that were drawn and nobody has finished", Unit.COUNT),
    "annotator_agreement": _quality("the share of pairs of annotators that say the same"),
    "reporter_agreement": _quality("the share of pairs of reporters that say the same"),
    "rejection_rate": _users("of the answers, the share that objects"),
    "response_rate": _users("of the samples, the share whose users answered"),
    "samples": _users("samples that came", Unit.COUNT, over_seconds=_DAY),
    "queue.backlog": _queue("samples that wait for an annotator"),
    "queue.age_seconds": _queue("how long the oldest of them has waited", Unit.SECONDS),
    "queue.overdue_seconds": _queue("how long the oldest decision is overdue", Unit.SECONDS),
    "queue.push_failures": _queue("labeling tasks whose last push failed"),
    "drift.features": _drift("features that have drifted from their reference", Unit.COUNT),
    "rejection_change": _drift(
        "how far the rejection rate moved from its reference; 0 while no test tells that it did"
    ),
    "response_change": _drift("how far the response rate moved from its reference; 0 while no test tells that it did"),
}
#: `drift.NAME`: how far one feature has drifted; `metric.NAME`: the mean of one metric
FEATURE_PREFIX = "drift."
METRIC_PREFIX = "metric."
_FEATURE = _drift("how far the feature lies from its reference, by the population stability index")
_METRIC = FigureKind(
    about="the mean of the metric over the samples that have it",
    unit=Unit.NUMBER,
    source=Source.METRICS,
    over_seconds=7 * _DAY,
    pace_seconds=3600.0,
)


def kind_of(name: str) -> FigureKind | None:
    """Return what the figure of that name is; None: there is none.

    >>> kind_of("drift.brightness").unit, kind_of("metric.brightness").unit, kind_of("mood") is None
    (<Unit.NUMBER: 'number'>, <Unit.NUMBER: 'number'>, True)
    """
    if name in FIGURES:
        return FIGURES[name]
    if name.startswith(METRIC_PREFIX):
        return _METRIC if _is_metric(name.removeprefix(METRIC_PREFIX)) else None
    return _FEATURE if name.startswith(FEATURE_PREFIX) and name != FEATURE_PREFIX else None


def _is_metric(name: str) -> bool:
    return name in METRICS or (name.startswith(CUSTOM) and name != CUSTOM)
