"""Numbers that tell what images, predictions and annotations look like, for filters, slices, outliers and drift.

`METRICS` names all of them. `images`, `predictions` and `annotations` measure one sample, `neighbours` and `shapes`
hold a sample against others, `outliers` and `flags` say what is odd. Encord Active 0.1.83 and cleanvision 0.3.7 define
most of them.
"""

from queue_server.core.metrics.annotations import annotation_values
from queue_server.core.metrics.definitions import CUSTOM, METRICS, VERSION, Metric, Of, random_value
from queue_server.core.metrics.images import WORKING_SIDE_PX, image_values
from queue_server.core.metrics.predictions import prediction_values

__all__ = [
    "CUSTOM",
    "METRICS",
    "VERSION",
    "WORKING_SIDE_PX",
    "Metric",
    "Of",
    "annotation_values",
    "image_values",
    "prediction_values",
    "random_value",
]
