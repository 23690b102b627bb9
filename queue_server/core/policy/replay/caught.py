"""How many of the errors that are known a policy would have put before an annotator."""

from dataclasses import dataclass

from queue_server.core.estimate import wilson
from queue_server.core.policy.replay.stored import Stored


@dataclass(frozen=True, kw_only=True, slots=True)
class Caught:
    """The share of the model's errors that a policy would have caught, with its interval of 95%."""

    #: None where nothing can be said; `why_none` says why
    share: float | None = None
    low: float | None = None
    high: float | None = None
    why_none: str | None = None
    #: samples whose annotation says that the model was wrong
    known_errors: int = 0
    #: of these, as many equally likely ones would say as much
    effective_errors: float = 0.0
    #: known errors that no chance had brought to an annotator: they stand for nothing but themselves
    left_out: int = 0


class Errors:
    """Adds up known errors: R = Σ w·π_new / Σ w with w = 1/π_old, the chance that its error came to be known.

    Hájek 1971; the interval is Wilson's (1927) at n = (Σw)²/Σw², the effective sample size of Kish 1965: where few
    errors are known, or unequally likely ones, it holds its promise better than a normal one.
    """

    def __init__(self) -> None:
        self._known = 0
        self._left_out = 0
        self._weights = 0.0
        self._squares = 0.0
        self._caught = 0.0

    def add(self, stored: Stored, inclusion_probability: float) -> None:
        """Count a sample, of which an annotation says that the model was wrong, with its π under the policy."""
        self._known += 1
        if stored.known_probability <= 0:
            self._left_out += 1
            return
        weight = 1.0 / stored.known_probability
        self._weights += weight
        self._squares += weight * weight
        self._caught += weight * inclusion_probability

    def caught(self) -> Caught:
        """Return the share that was caught."""
        if not self._weights:
            why = "no annotation says that the model was wrong"
            if self._known:
                why = "chance had no part in how the known errors came to be known: only the audit's would count"
            return Caught(why_none=why, known_errors=self._known, left_out=self._left_out)
        share = min(1.0, self._caught / self._weights)
        effective = self._weights**2 / self._squares
        low, high = wilson(share, effective)
        return Caught(
            share=share,
            low=low,
            high=high,
            known_errors=self._known,
            effective_errors=effective,
            left_out=self._left_out,
        )
