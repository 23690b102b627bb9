"""The tables. These files are without `from __future__ import annotations`: SQLModel reads the annotations themselves.

Feedback, decisions, history and annotations are append-only. States change by conditional UPDATEs in `store` alone.
"""

from queue_server.models.columns import Document, UtcDateTime, is_instant
from queue_server.models.decisions import BudgetPeriod, Decision, FrozenFigure, HistoryEntry, Reporter
from queue_server.models.labeling import Annotation, Export, LabelingTask, SplitAssignment
from queue_server.models.projects import ApiKey, LabelStudioTarget, ModelVersion, PolicyVersion, Project
from queue_server.models.samples import Feedback, Image, ParkedShowing, Prediction, Sample, Stream

__all__ = [
    "Annotation",
    "ApiKey",
    "BudgetPeriod",
    "Decision",
    "Document",
    "Export",
    "Feedback",
    "FrozenFigure",
    "HistoryEntry",
    "Image",
    "LabelStudioTarget",
    "LabelingTask",
    "ModelVersion",
    "ParkedShowing",
    "PolicyVersion",
    "Prediction",
    "Project",
    "Reporter",
    "Sample",
    "SplitAssignment",
    "Stream",
    "UtcDateTime",
    "is_instant",
]
