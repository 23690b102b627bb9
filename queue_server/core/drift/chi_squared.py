"""The χ² distribution, as far as tests of drift need it."""

import functools


def chi_squared_tail(value: float, freedom: int) -> float:
    """Return the chance that a χ² variable lies above a value.

    >>> round(chi_squared_tail(16.918978, 9), 6)
    0.05
    """
    from scipy.special import chdtrc  # for the first report alone: a quarter of a second

    return float(chdtrc(freedom, max(0.0, value)))


@functools.cache
def chi_squared_quantile(chance: float, freedom: int) -> float:
    """Return the value below which a χ² variable lies with that chance.

    >>> round(chi_squared_quantile(0.95, 9), 4)
    16.919
    """
    if not 0 <= chance < 1:
        raise ValueError(f"chance must be in [0, 1), got {chance}")
    from scipy.special import chdtri  # as above

    return float(chdtri(freedom, 1 - chance))
