"""The values that a report of quality is made of."""

from dataclasses import dataclass

from queue_server.core.estimate import Interval, Share


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure with its interval of 95%; None: too little is known."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    #: how many annotations it stands on
    n: int

    @property
    def interval(self) -> Interval | None:
        """Return it as an interval; None where one of its parts is not known.

        >>> Figure(name="f1", value=0.5, low=0.25, high=0.75, n=9).interval.half_width
        0.25
        """
        if self.value is None or self.low is None or self.high is None:
            return None
        return Interval(value=self.value, low=self.low, high=self.high)


@dataclass(frozen=True, kw_only=True, slots=True)
class UserFigure:
    """What one would believe if users were right, and how far off that is."""

    #: the share of those who answered that confirmed; None: nobody did
    value: float | None
    #: how many answered
    n: int
    #: of all samples, the share whose users answered
    response_rate: float | None
    #: the value minus the accuracy, from what it may be to what it may be
    bias: float | None
    bias_low: float | None
    bias_high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Confused:
    """How often a label was taken for another, or for itself, in all that came."""

    true: str
    predicted: str
    #: of all that came
    share: float
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationBin:
    """How often the model is right where it is so sure."""

    confidence_from: float
    confidence_to: float
    #: the mean of the samples in it
    confidence: float
    accuracy: float
    low: float
    high: float
    n: int


def figure_of_share(name: str, share: Share) -> Figure:
    """Return a share as a figure.

    >>> figure_of_share("accuracy", Share(value=None, low=0.0, high=1.0, annotated=0, unfinished=0, seen=0.0)).low
    0.0
    """
    return Figure(name=name, value=share.value, low=share.low, high=share.high, n=share.annotated)


def figure_of_interval(
    name: str, value: float | None, interval: Interval | None, *, n: int, bounds: tuple[float, float]
) -> Figure:
    """Return a figure whose interval is cut at what it can be.

    >>> figure_of_interval("f1", 0.9, Interval(value=0.9, low=0.7, high=1.1), n=9, bounds=(0.0, 1.0)).high
    1.0
    """
    return Figure(
        name=name,
        value=value,
        low=max(bounds[0], interval.low) if interval is not None else None,
        high=min(bounds[1], interval.high) if interval is not None else None,
        n=n,
    )
