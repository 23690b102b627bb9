"""How good a model version is in production: figures with intervals, from the biased few that annotators saw.

The shell makes an `Observation` of each sample as it stood at its window's end, with `judge` where it was annotated;
`version_quality` gives the figures of one version, `compare` the difference of two.
"""

from queue_server.core.model_quality.blind_audits import Anchoring, anchoring
from queue_server.core.model_quality.coco import CocoFigures, coco_figures
from queue_server.core.model_quality.comparison import Comparison, compare
from queue_server.core.model_quality.figures import CalibrationBin, Confused, Figure, UserFigure
from queue_server.core.model_quality.judging import judge
from queue_server.core.model_quality.observed import Draw, Judged, Observation
from queue_server.core.model_quality.quality import Came, Needed, VersionQuality, version_quality
from queue_server.core.model_quality.strata import Stratum, Through, strata

__all__ = [
    "Anchoring",
    "CalibrationBin",
    "Came",
    "CocoFigures",
    "Comparison",
    "Confused",
    "Draw",
    "Figure",
    "Judged",
    "Needed",
    "Observation",
    "Stratum",
    "Through",
    "UserFigure",
    "VersionQuality",
    "anchoring",
    "coco_figures",
    "compare",
    "judge",
    "strata",
    "version_quality",
]
