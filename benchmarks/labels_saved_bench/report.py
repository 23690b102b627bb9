"""What the figures of all tables say together: the aim, and where it is not met."""

from collections.abc import Mapping, Sequence
from typing import cast

from benchmarks.labels_saved_bench.figures import Figure
from benchmarks.labels_saved_bench.policies import DEFAULT, DEFAULT_HELD, TARGET_HELD, UNSURE_FIRST_HELD
from benchmarks.labels_saved_bench.reporters import REPORTERS

#: the default policy is to find so many times the errors of random
_AIM = 3.0
#: where the model errs at most so often
_HIGHEST_ERROR_RATE = 0.15
#: the default policy as it stands and within a budget, and what may be better defaults
_JUDGED = (DEFAULT, DEFAULT_HELD, TARGET_HELD, UNSURE_FIRST_HELD)
NOTES: Sequence[str] = (
    (
        "Reporters are simulated: they tap on wrong predictions with the recall, and evenly on right ones as gives the "
        "precision, independently of the model's confidence. Half of the taps say what is right instead, and are "
        "no more precise; 3 in 10 results that were tapped on get a second look, of one who taps alike or confirms."
    ),
    (
        "A day is a random part of the table. Days share rows, so intervals (95 %) are those of as many days as the "
        "table has rows for (disjoint_days). They say nothing of other models, and nothing of drift."
    ),
    (
        "times_random divides by the table's own share of errors, which random finds on average; the row `random` "
        "was drawn by the engine as the others were, so its interval should hold 1."
    ),
    "target_per_day is the quantile of the scores of another random part of the table (yesterday), frozen.",
    "Rules in `no user asked` stand alone and spend no budget; those with a fixed threshold take what they take.",
    "Held: at the day's end the best by priority, ties at random; the audit (1 % of traffic) is paid first.",
    "estimated_over_true_errors: Σ errors/π over the annotations, over the true number; 1 where π is right.",
    (
        "Retraining: the first annotations within the budget, added to labels known before; random has as many; "
        "share_of_days_better counts equal days by half. Weighted: each new label counts by 1/π."
    ),
    "`unsure first` was thought of while looking at these tables: judge it by others.",
    (
        "labels, metadata and quality look where yesterday's errors were most frequent, which takes yesterday's "
        "annotations; novelty is far from all of yesterday's pictures. A table that lacks one has no such thing."
    ),
    (
        "Not measured: requested, which is whatever a person asks for; every_nth is by the order of arrival, which is "
        "random here; count_disagrees against the model's own count, which no table holds."
    ),
)


def aim(tables: Mapping[str, Mapping[str, object]]) -> Mapping[str, object]:
    """Return where each policy meets the aim, over tables and reporters.

    >>> aim({})["policies"]["default"]["cases"]
    0
    """
    return {
        "what": f"the default policy finds >= {_AIM:g} times the errors of random where at most "
        f"{_HIGHEST_ERROR_RATE:.0%} of predictions are wrong",
        "policies": {policy: _met(tables, policy) for policy in _JUDGED},
    }


def _met(tables: Mapping[str, Mapping[str, object]], policy: str) -> Mapping[str, object]:
    cases = [
        _case(table, reporters=reporters, policy=policy) | {"table": name}
        for name, table in tables.items()
        if cast("float", table["errors_per_sample"]) <= _HIGHEST_ERROR_RATE
        for reporters in REPORTERS
    ]
    return {
        "cases": len(cases),
        "holds_in": sum(case["holds"] is True for case in cases),
        "interval_holds_in": sum(case["interval_holds"] is True for case in cases),
        "misses": [case for case in cases if not case["holds"]],
        "unsure": [case for case in cases if case["holds"] and not case["interval_holds"]],
    }


def _case(table: Mapping[str, object], *, reporters: str, policy: str) -> dict[str, object]:
    found = cast("Mapping[str, Mapping[str, Mapping[str, Figure]]]", table["found"])
    times = found[reporters][policy]["times_random"]
    mean, low = times["mean"], times["low"]
    return {
        "reporters": reporters,
        "times_random": times,
        "holds": mean is not None and mean >= _AIM,
        "interval_holds": low is not None and low >= _AIM,
    }
