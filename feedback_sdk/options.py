"""What a client may be told beside its server and key, in one place for people, editors and type checkers."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

from feedback_sdk.drops import Drop
from feedback_sdk.errors import ValidationError
from feedback_sdk.transport import Transport

if TYPE_CHECKING:
    from feedback_sdk.preparation import BeforeSend
    from feedback_sdk.preparation.bursts import Collapse

_YES = frozenset({"1", "true", "yes", "on"})
Durability = Literal["second", "record"]
UploadName = Literal["always", "when_wanted"]
TaskName = Literal["detection", "classification", "segmentation", "keypoints", "counting"]


class Options(TypedDict, total=False):
    """The keyword arguments of FeedbackClient."""

    #: bytes that the spool may take on disk; 256 MiB
    max_spool_bytes: int
    #: how long a capture may wait in the spool; 30 days
    max_spool_age: timedelta
    #: when a capture is safe from a loss of power: within a "second" (default), or with each "record"; the death of the
    #: process alone loses nothing either way
    durability: Durability
    #: "always", or "when_wanted": a sample goes without its image, which follows if the server wants it
    upload: UploadName
    #: a cap on the average rate of sending
    max_bytes_per_second: float
    #: how long one request may take; 10 s
    timeout_seconds: float
    #: a file of certificates to trust, else LOOKSWRONG_CA_BUNDLE, else the system's
    ca_bundle: str | os.PathLike[str]
    #: sees each capture and feedback before it is sent, in the background; returns it, changed or not, or None to drop
    before_send: "BeforeSend"
    #: the share of predictions to capture, carried on as `capture_probability`; 1.0
    sample_rate: float
    #: of each `stream`, capture at most so many frames a second; the kept ones say how many they stand for
    max_frames_per_second: float
    #: frames of one `stream` that look alike become one; needs the extra `[images]`
    collapse: "Collapse"
    #: pixels of the longer side that larger images are reduced to, which also loses where they were taken (GPS); boxes
    #: keep their pixels; needs the extra `[images]`
    max_image_side: int
    #: the model version of what is given as a model's own results; `log_prediction` may say another
    model_version: str
    #: what the model does ("segmentation", …), where its results do not say: one that found nothing looks like another
    task: TaskName
    #: the names of a model's classes, where its results do not hold them
    labels: Sequence[str] | Mapping[int, str]
    #: how often to ask for changes of state, once `status` or `resolved` was called; 30 s
    status_poll_seconds: float
    #: do all but send: each call is logged, nothing leaves the machine
    dry_run: bool
    #: another way to the server, for tests
    transport: Transport
    #: hears of every capture that is refused, evicted or quarantined, on the thread where it happens
    on_drop: Callable[[Drop], None]


_ABOVE_ZERO = (
    "max_spool_bytes",
    "max_bytes_per_second",
    "timeout_seconds",
    "max_frames_per_second",
    "max_image_side",
    "status_poll_seconds",
)
_FORMS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "max_spool_bytes": (lambda value: isinstance(value, int), "whole bytes"),
    "max_image_side": (lambda value: isinstance(value, int), "whole pixels"),
    "before_send": (callable, "a function"),
    "on_drop": (callable, "a function"),
    "collapse": (lambda value: hasattr(value, "distance") and hasattr(value, "seconds"), "a Collapse"),
    "labels": (
        lambda value: isinstance(value, Sequence | Mapping) and not isinstance(value, str),
        "a sequence of names, or a mapping from class ids to them",
    ),
    "dry_run": (lambda value: isinstance(value, bool), "True or False"),
    "transport": (lambda value: callable(getattr(value, "send", None)), "an object with a method send"),
    "ca_bundle": (lambda value: isinstance(value, str | os.PathLike) and Path(value).is_file(), "a file's path"),
}
_ONE_OF: Mapping[str, tuple[str, ...]] = {
    "durability": get_args(Durability),
    "upload": get_args(UploadName),
    "task": get_args(TaskName),
}


def check(options: Options) -> None:
    """Raise ValidationError for a value that no option can have, TypeError for an option that is none.

    >>> check({"upload": "when_wanted", "sample_rate": 0.1})
    """
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"FeedbackClient() got an unexpected keyword argument {min(unknown)!r}")
    given: Mapping[str, object] = {name: value for name, value in options.items() if value is not None}
    for name in _ABOVE_ZERO:
        value = given.get(name, 1)
        if not isinstance(value, int | float) or not value > 0:
            raise ValidationError(name, f"{name} must be a number > 0, got {value!r}")
    for name, known in _ONE_OF.items():
        if given.get(name, known[0]) not in known:
            raise ValidationError(name, f"{name} must be one of {', '.join(known)}, got {given[name]!r}")
    rate = given.get("sample_rate", 1.0)
    if not isinstance(rate, int | float) or not 0 < rate <= 1:
        raise ValidationError("sample_rate", f"sample_rate must be > 0 and <= 1, got {rate!r}")
    age = given.get("max_spool_age", timedelta(1))
    if not isinstance(age, timedelta) or age <= timedelta():
        raise ValidationError("max_spool_age", f"max_spool_age must be a timedelta > 0, got {age!r}")
    for name, (is_right, must) in _FORMS.items():
        if name in given and not is_right(given[name]):
            raise ValidationError(name, f"{name} must be {must}, got {type(given[name]).__name__}")


def is_switched_on(name: str) -> bool:
    """Return whether an environment variable says yes.

    >>> is_switched_on("LOOKSWRONG_NOT_SET")
    False
    """
    return os.environ.get(name, "").strip().lower() in _YES
