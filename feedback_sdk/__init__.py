"""The SDK of Looks Wrong: capture predictions and what users say of them. Standard library only.

Names load when they are first used, so that importing the package costs an app next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedback_sdk.client import FeedbackClient
    from feedback_sdk.types import (
        Box,
        BoxCorrection,
        Correction,
        Feedback,
        Keypoint,
        Mask,
        Point,
        Polygon,
        Prediction,
        Rle,
        Sample,
        Task,
        Verdict,
    )

__all__ = [
    "Box",
    "BoxCorrection",
    "Correction",
    "Feedback",
    "FeedbackClient",
    "Keypoint",
    "Mask",
    "Point",
    "Polygon",
    "Prediction",
    "Rle",
    "Sample",
    "Task",
    "Verdict",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'feedback_sdk' has no attribute {name!r}")
    value: object = getattr(import_module(f"feedback_sdk.{'client' if name == 'FeedbackClient' else 'types'}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
