"""A cap on the bytes sent a second: pure, the clock is given."""


class Allowance:
    """A bucket that fills at `bytes_per_second` up to one second's worth; None: no cap.

    A request may overdraw it, else one that is larger than the bucket could never go; those after it pay.

    >>> allowance = Allowance(1000.0)
    >>> allowance.take(3000, now=0.0)
    >>> allowance.wait(now=0.0), allowance.wait(now=1.5), allowance.wait(now=2.0)
    (2.0, 0.5, 0.0)
    """

    def __init__(self, bytes_per_second: float | None) -> None:
        self._rate = bytes_per_second
        self._level = bytes_per_second or 0.0
        self._at: float | None = None

    def wait(self, *, now: float) -> float:
        """Return the seconds until the next request may go."""
        if self._rate is None:
            return 0.0
        if self._at is not None:
            self._level = min(self._rate, self._level + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, -self._level / self._rate)

    def take(self, size: int, *, now: float) -> None:
        """Note that `size` bytes are sent."""
        self.wait(now=now)
        self._level -= size
