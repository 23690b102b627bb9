"""How a window of rows differs from a reference: pure statistics, which know nothing of where rows come from.

`compare` is the whole of it: every feature in both windows, judged together. `match_season` makes the reference's hours
those of the current window, `with_pace` tells sudden changes from gradual ones. Rates are watched by `core.sequential`.
"""

from queue_server.core.drift.compare import LABELS, compare, label_shares, with_pace
from queue_server.core.drift.features import Alarm, FeatureDrift, Kind, LabelShares
from queue_server.core.drift.pace import Pace, pace
from queue_server.core.drift.rows import BURST_SECONDS, Labels, Rows, starts_of_bursts
from queue_server.core.drift.season import Matched, Season, match_season
from queue_server.core.drift.several import benjamini_hochberg, holm

__all__ = [
    "BURST_SECONDS",
    "LABELS",
    "Alarm",
    "FeatureDrift",
    "Kind",
    "LabelShares",
    "Labels",
    "Matched",
    "Pace",
    "Rows",
    "Season",
    "benjamini_hochberg",
    "compare",
    "holm",
    "label_shares",
    "match_season",
    "pace",
    "starts_of_bursts",
    "with_pace",
]
