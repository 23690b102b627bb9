"""What must hold between a rule's parameters: one that can match nothing, or all, is a slip of the pen."""

from collections.abc import Callable, Mapping

from queue_server.core.policy.parameters import Threshold, Value

Check = Callable[[Mapping[str, Value]], tuple[str, str] | None]


def one_of(*names: str) -> Check:
    """Return a check that at least one of these is given."""

    def check(given: Mapping[str, Value]) -> tuple[str, str] | None:
        if any(given.get(name) not in (None, ()) for name in names):
            return None
        return names[0], f"must be given, or {' or '.join(names[1:])}: without them the rule means nothing"

    return check


def in_order(low: str, high: str) -> Check:
    """Return a check that one number is not above another."""

    def check(given: Mapping[str, Value]) -> tuple[str, str] | None:
        one, other = given.get(low), given.get(high)
        if isinstance(one, float) and isinstance(other, float) and one > other:
            return low, f"must be at most {high}, got {one:g} and {other:g}"
        return None

    return check


def within_one(given: Mapping[str, Value]) -> tuple[str, str] | None:
    """Check that a threshold of scores in [0, 1] is one of them; a sum may be larger."""
    limit = given.get("threshold")
    is_beyond = isinstance(limit, Threshold) and limit.kind == "number" and limit.value > 1
    if is_beyond and given.get("aggregate") != "sum":
        return "threshold", "must be at most 1 unless aggregate is sum: scores are from 0 to 1"
    return None
