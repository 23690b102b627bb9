"""Metrics of the user's own: a function of an image, a prediction or an annotation that returns a number."""

import hashlib
import inspect
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from queue_server.core.metrics.definitions import Of

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Custom:
    """A metric that is not built in."""

    name: str
    of: Of
    measure: Callable[..., object]


def custom_metric(name: str, measure: object) -> Custom:
    """Return a function as a metric; the name of its first parameter says what it takes.

    `image`: the pixels, (height, width, 3) RGB of 8 bits; `prediction`: a `feedback_sdk.Prediction`; `annotation`: a
    `queue_server.core.annotation.Annotation`. Raises ValueError for anything else.

    >>> custom_metric("glare", lambda image: float(image.max())).of.value
    'image'
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"must be named by letters, digits and _, got {name!r}")
    if not callable(measure):
        raise ValueError(f"must be a function, got {type(measure).__name__}")  # noqa: TRY004  # callers catch one kind
    parameters = list(inspect.signature(measure).parameters)
    if not parameters or parameters[0] not in set(Of):
        raise ValueError(f"must take one of {', '.join(Of)} as its first parameter, got {parameters[:1]}")
    return Custom(name=name, of=Of(parameters[0]), measure=measure)


def checked_number(value: object) -> float:
    """Return what a metric returned as a number; ValueError for what is none.

    >>> checked_number(True)
    1.0
    """
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it returned: numpy's numbers have a float, too
    except (TypeError, ValueError):
        raise ValueError(f"must return a number, got {type(value).__name__}") from None
    if not math.isfinite(number):
        raise ValueError(f"must return a finite number, got {number}")
    return number


def set_number(names: Collection[str]) -> int:
    """Return a number that stands for a set of metrics, never 0: whoever was asked by another set is asked again.

    >>> set_number(["a", "b"]) == set_number(["b", "a"]) != 0
    True
    """
    text = ",".join(sorted(names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) + 1
