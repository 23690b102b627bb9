"""A rule of an alert: which figure, between what it should lie, and whom to tell."""

from dataclasses import dataclass

from queue_server.core.alerts.figures import FigureKind, FigureNow, kind_of

#: of a figure that is of now, an alert still says over how much time it was looked at
_NO_STRETCH = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Between what a figure should lie; None: no limit on that side."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        """Tell whether a value lies between them.

        >>> Limits(at_least=0.9).holds(0.9), Limits(at_most=5).holds(6)
        (True, False)
        """
        if self.at_least is not None and value < self.at_least:
            return False
        return self.at_most is None or value <= self.at_most


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertRule:
    """When to raise an alert, and when it is over."""

    name: str
    figure: str
    #: what is expected: beyond it the alert is raised
    limits: Limits
    #: back within these, which are no wider, it is over: between the two nothing changes
    clear: Limits
    #: how long a figure must be beyond, or back, before anybody is told
    hold_seconds: float = 0.0
    #: the stretch that the figure is of; None: the figure's own
    given_over_seconds: float | None = None
    slice: str | None = None
    #: None: the latest
    model_version: str | None = None
    channels: tuple[str, ...] = ()
    #: how often it is said again while it lasts; None: never
    remind_seconds: float | None = None

    @property
    def kind(self) -> FigureKind:
        """Return what the figure is.

        >>> limits = Limits(at_least=0.9)
        >>> AlertRule(name="a", figure="accuracy", limits=limits, clear=limits).kind.unit
        <Unit.SHARE: 'share'>
        """
        found = kind_of(self.figure)
        assert found is not None, f"{self.figure} must be a figure"
        return found

    @property
    def over_seconds(self) -> float:
        """Return the stretch that the figure is of; 0: it is of now.

        >>> limits = Limits(at_most=9)
        >>> AlertRule(name="a", figure="queue.backlog", limits=limits, clear=limits).over_seconds
        0.0
        """
        return self.given_over_seconds or self.kind.over_seconds or _NO_STRETCH

    def is_beyond(self, figure: FigureNow) -> bool:
        """Tell whether a figure is beyond the limits with its whole interval, else with its value.

        >>> limits = Limits(at_least=0.9)
        >>> rule = AlertRule(name="a", figure="accuracy", limits=limits, clear=limits)
        >>> rule.is_beyond(FigureNow(value=0.85, low=0.78, high=0.91))
        False
        """
        if figure.value is None:
            return False
        low = figure.low if figure.low is not None else figure.value
        high = figure.high if figure.high is not None else figure.value
        is_below = self.limits.at_least is not None and high < self.limits.at_least
        return is_below or (self.limits.at_most is not None and low > self.limits.at_most)

    def is_clear(self, figure: FigureNow) -> bool:
        """Tell whether a figure is back: its value, for an interval that grows with ignorance is no good news.

        >>> limits = Limits(at_least=0.9)
        >>> AlertRule(name="a", figure="accuracy", limits=limits, clear=limits).is_clear(FigureNow(value=None))
        False
        """
        return figure.value is not None and self.clear.holds(figure.value)
