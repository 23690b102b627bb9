"""How many samples go into one request: pure, the clock is given."""

_COOL_SECONDS = 600.0


class BatchSize:
    """The bounds of a batch: halved when a whole batch is refused, doubled again after ten quiet minutes each.

    >>> size = BatchSize(max_records=50, max_bytes=1000)
    >>> size.halve(refused=0, now=0.0)
    >>> size.records(now=0.0), size.bytes(now=0.0), size.records(now=600.0)
    (25, 500, 50)
    """

    def __init__(self, *, max_records: int, max_bytes: int) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._halvings = 0
        self._changed_at = 0.0
        #: so many samples go one by one, since they were refused together
        self.alone = 0

    def records(self, *, now: float) -> int:
        """Return how many records may go together."""
        self._recover(now)
        return 1 if self.alone else max(1, self._max_records >> self._halvings)

    def bytes(self, *, now: float) -> int:
        """Return how many bytes may go together; one record may always be larger."""
        self._recover(now)
        return max(1, self._max_bytes >> self._halvings)

    def halve(self, *, refused: int, now: float) -> None:
        """Note that so many samples were refused as a whole: they go one by one, and later batches are smaller."""
        self.alone = refused
        self._changed_at = now
        if self._max_records >> self._halvings > 1:
            self._halvings += 1

    def _recover(self, now: float) -> None:
        while self._halvings and now - self._changed_at >= _COOL_SECONDS:
            self._halvings -= 1
            self._changed_at += _COOL_SECONDS
