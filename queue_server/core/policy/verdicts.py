"""What a sample's reporters say of it, all together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from feedback_sdk.types import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenVerdict:
    """One verdict as it was given; a later one of the same reporter replaces it."""

    reporter: str | None
    verdict: Verdict
    given_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """The verdict that counts; None: silence. `is_disputed`: reporters disagree, the verdict is the objection."""

    verdict: Verdict | None = None
    is_disputed: bool = False

    @property
    def is_objection(self) -> bool:
        """Tell whether somebody says that the prediction is wrong.

        >>> Opinion().is_objection
        False
        """
        return self.verdict in (Verdict.REJECTED, Verdict.CORRECTED)


def opinion(verdicts: Iterable[GivenVerdict]) -> Opinion:
    """Return what the reporters say together: each one's latest verdict counts.

    >>> opinion([])
    Opinion(verdict=None, is_disputed=False)
    """
    latest = {given.reporter: given.verdict for given in sorted(verdicts, key=lambda given: given.given_at)}
    voices = set(latest.values())
    if not voices:
        return Opinion()
    objections = voices - {Verdict.CONFIRMED}
    if not objections:
        return Opinion(verdict=Verdict.CONFIRMED)
    verdict = Verdict.CORRECTED if Verdict.CORRECTED in objections else Verdict.REJECTED
    return Opinion(verdict=verdict, is_disputed=Verdict.CONFIRMED in voices)
