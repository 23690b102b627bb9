"""The tables. These files are without `from __future__ import annotations`: SQLModel reads the annotations themselves.

Feedback, decisions, history and annotations are append-only. States change by conditional UPDATEs in `store` alone.
"""

from queue_server.models.alerts import Alert, AlertEvent, Notification, RetrainingSignal
from queue_server.models.columns import Document, UtcDateTime, is_instant
from queue_server.models.decisions import BudgetPeriod, Decision, FrozenFigure, HistoryEntry, Reporter
from queue_server.models.drift import DriftReference
from queue_server.models.labeling import Annotation, Export, LabelingTask, SplitAssignment
from queue_server.models.metrics import CustomMetric, SampleMetric
from queue_server.models.projects import ApiKey, LabelStudioTarget, ModelVersion, PolicyVersion, Project
from queue_server.models.samples import Feedback, Image, ParkedShowing, Prediction, Sample, Stream
from queue_server.models.slices import Reference, ReferenceRow, Slice
from queue_server.models.snapshots import FigureSnapshot

__all__ = [
    "Alert",
    "AlertEvent",
    "Annotation",
    "ApiKey",
    "BudgetPeriod",
    "CustomMetric",
    "Decision",
    "Document",
    "DriftReference",
    "Export",
    "Feedback",
    "FigureSnapshot",
    "FrozenFigure",
    "HistoryEntry",
    "Image",
    "LabelStudioTarget",
    "LabelingTask",
    "ModelVersion",
    "Notification",
    "ParkedShowing",
    "PolicyVersion",
    "Prediction",
    "Project",
    "Reference",
    "ReferenceRow",
    "Reporter",
    "RetrainingSignal",
    "Sample",
    "SampleMetric",
    "Slice",
    "SplitAssignment",
    "Stream",
    "UtcDateTime",
    "is_instant",
]
