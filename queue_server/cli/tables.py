"""What replays found, as lines for people."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from queue_server.core.policy.replay import Replayed
from queue_server.replay import Outcome

#: of a longer stretch a person wants the sum; `--json` has each day
_MOST_DAYS = 31


def volume_lines(outcome: Outcome) -> list[str]:
    """Return what the policy of now and a proposed one would have queued in the last week, side by side."""
    now, proposed = outcome.replayed
    if not now.samples:
        return ["no sample came in the last 7 days: there is no volume to compare"]
    seen = "what would have been queued in the last 7 days"
    if outcome.scale > 1:
        seen += f" (from the last {now.samples} of {outcome.samples_in_all} samples, scaled up)"
    reasons = dict.fromkeys((*now.queued, *proposed.queued))
    rows: list[Sequence[object]] = [("reason", "now", "proposed")]
    figures: dict[str, tuple[float, float]] = {
        **{reason: (now.queued.get(reason, 0), proposed.queued.get(reason, 0)) for reason in reasons},
        "in all": (now.queued_in_all, proposed.queued_in_all),
        "annotators' minutes": (now.minutes_in_all, proposed.minutes_in_all),
        "over budget": (now.over_budget, proposed.over_budget),
    }
    rows += [(name, *(round(value * outcome.scale) for value in values)) for name, values in figures.items()]
    return [f"{seen}:", *table(rows)]


def replay_lines(outcome: Outcome) -> list[str]:
    """Return all that a replay of one policy found."""
    (replayed,) = outcome.replayed
    if not replayed.samples:
        return ["no sample came in that time: there is nothing to replay"]
    lines = [f"{replayed.samples} samples, {replayed.since:%Y-%m-%d %H:%M} to {replayed.until:%Y-%m-%d %H:%M} UTC"]
    if outcome.samples_in_all > replayed.samples:
        lines[0] += f": the last of {outcome.samples_in_all}"
    rows: list[Sequence[object]] = [("reason", "queued", "minutes")]
    rows += [(reason, count, round(replayed.annotator_minutes[reason])) for reason, count in replayed.queued.items()]
    rows.append(("in all", replayed.queued_in_all, round(replayed.minutes_in_all)))
    return [*lines, *table(rows), *_beside(replayed), *_day_lines(replayed), _errors_line(replayed)]


def _beside(replayed: Replayed) -> list[str]:
    hidden = replayed.never_visible / replayed.samples
    here, then = replayed.queued_only_here, replayed.queued_only_then
    return [
        f"over budget {replayed.over_budget}, duplicates {replayed.duplicates}",
        f"queued then too {replayed.queued_by_both}, only by this policy {here}, only then {then}",
        f"never to be seen by the policies of then: {replayed.never_visible} ({hidden:.1%})",
        f"of these, this one gives a chance: {replayed.newly_visible}",
    ]


def _day_lines(replayed: Replayed) -> list[str]:
    if not 1 < len(replayed.by_day) <= _MOST_DAYS:
        return []
    rows: list[Sequence[object]] = [("day", "samples", "queued", "really queued")]
    rows += [(name, day.samples, day.queued, day.really_queued) for name, day in replayed.by_day.items()]
    return table(rows)


def _errors_line(replayed: Replayed) -> str:
    caught = replayed.errors_caught
    if caught.share is None or caught.low is None or caught.high is None:
        return f"known errors caught: cannot be told, {caught.why_none}"
    left_out = f", {caught.left_out} left out" if caught.left_out else ""
    return (
        f"known errors caught: {caught.share:.0%} ({caught.low:.0%} to {caught.high:.0%}),"
        f" of {caught.known_errors} known{left_out}"
    )


def overlap_lines(first: Mapping[int, str], second: Mapping[int, str]) -> list[str]:
    """Return what each of two policies queued that the other did not, by reason; both are sample -> reason."""
    only_first = Counter(reason for key, reason in first.items() if key not in second)
    only_second = Counter(reason for key, reason in second.items() if key not in first)
    return [
        f"queued by both: {len(first.keys() & second.keys())}",
        f"queued only before: {_counted(only_first)}",
        f"queued only after: {_counted(only_second)}",
    ]


def _counted(counts: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
    return f"{counts.total()} ({reasons})" if counts else "0"


def table(rows: Iterable[Sequence[object]]) -> list[str]:
    """Return rows as lines with columns of equal width, the first to the left."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    ]
