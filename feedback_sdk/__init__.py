"""The SDK of Looks Wrong: capture predictions and what users say of them. Standard library only.

Names load when they are first used, so that importing the package costs an app next to nothing.
"""

TYPE_CHECKING = False  # type checkers take it for typing's, whose import would cost more than all else here
if TYPE_CHECKING:
    from feedback_sdk.aio import AsyncFeedbackClient
    from feedback_sdk.client import FeedbackClient
    from feedback_sdk.drops import Drop, DropReason
    from feedback_sdk.preparation.before_send import Capture
    from feedback_sdk.preparation.bursts import Collapse
    from feedback_sdk.sender import Stats
    from feedback_sdk.sender.statuses import SampleStatus
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
    "AsyncFeedbackClient",
    "Box",
    "BoxCorrection",
    "Capture",
    "Collapse",
    "Correction",
    "Drop",
    "DropReason",
    "Feedback",
    "FeedbackClient",
    "Keypoint",
    "Mask",
    "Point",
    "Polygon",
    "Prediction",
    "Rle",
    "Sample",
    "SampleStatus",
    "Stats",
    "Task",
    "Verdict",
]
_ELSEWHERE = {
    "AsyncFeedbackClient": "aio",
    "Capture": "preparation.before_send",
    "Collapse": "preparation.bursts",
    "Drop": "drops",
    "DropReason": "drops",
    "SampleStatus": "sender.statuses",
    "Stats": "sender",
    "FeedbackClient": "client",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'feedback_sdk' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"feedback_sdk.{_ELSEWHERE.get(name, 'types')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
