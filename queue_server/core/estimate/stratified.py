"""The mean of a population that was sampled stratum by stratum."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanStratum:
    """One stratum: how large it is, and what a simple random sample of it showed."""

    size: int
    #: how many were looked at, at least 2 unless that is the whole stratum
    n: int
    mean: float
    variance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """A mean with its standard error."""

    value: float
    standard_error: float


def stratified_mean(strata: Sequence[MeanStratum]) -> Mean:
    """Return the population's mean: each stratum counts by its size, one that was seen whole has no error.

    Var = Σ (N_h/N)² (1 − n_h/N_h) s_h²/n_h; Cochran 1977, "Sampling Techniques", 5.4. It gives what R's `survey`
    publishes for the schools of its `apistrat`.

    >>> schools = [(4421, 100, 674.43, 15687.419), (755, 50, 625.82, 11947.089), (1018, 50, 636.6, 13824.857)]
    >>> found = stratified_mean([MeanStratum(size=a, n=b, mean=c, variance=d) for a, b, c, d in schools])
    >>> round(found.value, 2), round(found.standard_error, 4)
    (662.29, 9.4089)
    """
    total = sum(stratum.size for stratum in strata)
    value = sum(stratum.size / total * stratum.mean for stratum in strata)
    parts = [
        (stratum.size / total) ** 2 * (1 - stratum.n / stratum.size) * stratum.variance / stratum.n
        for stratum in strata
    ]
    return Mean(value=value, standard_error=math.sqrt(sum(parts)))
