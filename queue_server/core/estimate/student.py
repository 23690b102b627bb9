"""Quantiles of Student's t, without a package of 100 MB for one number."""

import functools
import math

from queue_server.core.estimate.intervals import LEVEL, z_of


@functools.cache
def student_quantile(freedom: float, *, level: float = LEVEL) -> float:
    """Return the quantile of a two-sided interval at so many degrees of freedom, at least 1; to about 6 digits.

    Hill 1970, "Algorithm 396: Student's t-quantiles".

    >>> round(student_quantile(10), 3)
    2.228
    """
    tails = 1 - level
    if freedom == 1:
        return math.tan(math.pi / 2 * level)
    if freedom == 2:
        return math.sqrt(2 / (tails * (2 - tails)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    y = (d * tails) ** (2 / freedom)
    y = _near_normal(freedom, a, b, c, d, level) if y > 0.05 + a else _far_out(freedom, d, y)
    return math.sqrt(freedom * y)


def _near_normal(freedom: float, a: float, b: float, c: float, d: float, level: float) -> float:
    x = -z_of(level)
    if freedom < 5:
        c += 0.3 * (freedom - 4.5) * (x + 0.6)
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    y = x * x
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    return math.expm1(a * y * y)


def _far_out(freedom: float, d: float, y: float) -> float:
    inner = 1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3)
    return ((inner + 0.5 / (freedom + 4)) * y - 1) * (freedom + 1) / (freedom + 2) + 1 / y
