"""Whether bodies may go to the server: pure, so that every course of failures is a line in a table.

closed ─ 3 failures in a row ─▶ open ─ a probe is answered ─▶ half_open ─ a call succeeds ─▶ closed
                                 ▲                               │
                                 └────────── a call fails ───────┘

An open circuit costs one small probe a time, never a body: a link that is bad already is not flooded.
"""

from enum import StrEnum

#: so many failures in a row are no accident
OPENS_AFTER = 3


class State(StrEnum):
    """Where the circuit stands; the words are in `stats`."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit:
    """Counts failures; `failures` since the last success is what the back-off grows with.

    >>> circuit = Circuit()
    >>> for _ in range(3):
    ...     circuit.fail(is_down=True)
    >>> circuit.state.value
    'open'
    >>> circuit.probe(is_alive=True)
    >>> circuit.state.value, circuit.failures
    ('half_open', 3)
    """

    __slots__ = ("_in_a_row", "failures", "state")

    def __init__(self) -> None:
        self.state = State.CLOSED
        self.failures = 0
        self._in_a_row = 0

    def succeed(self) -> None:
        """Note a call that the server dealt with, for or against the record."""
        self.state = State.CLOSED
        self.failures = self._in_a_row = 0

    def fail(self, *, is_down: bool) -> None:
        """Note a call that must be made again; `is_down`: the server may be away, it did not just put us off."""
        self.failures += 1
        self._in_a_row = self._in_a_row + 1 if is_down else 0
        if not is_down:
            self.state = State.CLOSED
        elif self.state is State.HALF_OPEN or self._in_a_row >= OPENS_AFTER:
            self.state = State.OPEN

    def probe(self, *, is_alive: bool) -> None:
        """Note what a probe of an open circuit brought; the back-off goes on where it stood."""
        if is_alive:
            self.state = State.HALF_OPEN
        else:
            self.failures += 1
