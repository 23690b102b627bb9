"""What one window holds, in arrays: a place in each for a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from queue_server.core.drift.ordered import Bools, Floats, Places

#: frames of one stream within that time show the same scene
BURST_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Labels:
    """Which labels the rows have, in parts: a row's parts add up to 1. Rows whose labels are unknown have none."""

    names: tuple[str, ...] = ()
    #: of each part: the row's place, the label's place in `names`, how much of the row it is
    rows: Places = field(default_factory=lambda: np.zeros(0, np.int64))
    codes: Places = field(default_factory=lambda: np.zeros(0, np.int64))
    parts: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """The rows of one window."""

    #: in seconds since 1970, UTC
    captured_at: Floats
    #: 1 / the probability with which the app captured it
    weights: Floats
    #: feature -> its values, NaN where a row has none
    numbers: Mapping[str, Floats]
    labels: Labels = field(default_factory=Labels)

    def weighing(self, factors: Floats) -> "Rows":
        """Return the same rows with other weights.

        >>> rows = Rows(captured_at=np.zeros(1), weights=np.ones(1), numbers={})
        >>> rows.weighing(np.array([2.0])).weights.tolist()
        [2.0]
        """
        return Rows(
            captured_at=self.captured_at, weights=self.weights * factors, numbers=self.numbers, labels=self.labels
        )


def starts_of_bursts(streams: Places, captured_at: Floats, *, within_seconds: float = BURST_SECONDS) -> Bools:
    """Tell which rows are the first of their burst; `streams` holds a number for each stream, below 0: none.

    Frames of one camera seconds apart are no evidence of their own: a hundred of one car would look like a hundred
    cars. A burst begins with the first frame that comes so long after the last burst's beginning. A row without a
    stream is a burst.

    >>> starts_of_bursts(np.array([1, 1, 2, -1, -1]), np.array([0.0, 59.0, 5.0, 0.0, 0.0])).tolist()
    [True, False, True, True, True]
    """
    is_start = np.ones(streams.size, dtype=np.bool_)
    begun: dict[int, float] = {}
    for place in np.lexsort((captured_at, streams)):
        stream, at = int(streams[place]), float(captured_at[place])
        if stream < 0:
            continue
        if at - begun.get(stream, -np.inf) < within_seconds:
            is_start[place] = False
        else:
            begun[stream] = at
    return is_start
