"""The numbers that a policy takes from the traffic, frozen in a replay as the server freezes them.

Thresholds and labels' shares hold for a day (UTC) and come from the last samples before it, those of a model version
apart; the audit's rate holds for an hour and comes from how many arrived in the one before.
"""

from collections import Counter, deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from queue_server.core.policy.budget import Period
from queue_server.core.policy.facts import applies
from queue_server.core.policy.figures import (
    ENOUGH_SCORES,
    Traffic,
    audit_rates,
    taken_thresholds,
    threshold_from,
    wants_label_shares,
)
from queue_server.core.policy.replay.stored import Stored
from queue_server.core.policy.rules import Policy
from queue_server.core.uncertainty import predicted_labels

_SAMPLED = 2000
_LATELY = timedelta(days=7)
#: versions of a model at a time; more are taken for names without end
_VERSIONS = 100

Figures = Mapping[tuple[str, str], float]


class _Version:
    """What came of one model version lately, and what was frozen of it."""

    def __init__(self, policy: Policy, first_at: datetime) -> None:
        self._wanted = list(taken_thresholds(policy))
        #: of each sample the score by each rule that wants one; None: the rule does not look at it, or it has none
        self._scores: deque[tuple[float | None, ...]] = deque(maxlen=_SAMPLED)
        self._by_day: Counter[datetime] = Counter()
        self._first_at = first_at
        self._frozen_on: datetime | None = None
        self.figures: dict[tuple[str, str], float] = {}

    def add(self, stored: Stored) -> None:
        candidate = stored.candidate
        self._scores.append(
            tuple(
                rule.kind.score(rule, candidate) if rule.kind.score is not None and applies(rule, candidate) else None
                for rule, _ in self._wanted
            )
        )
        self._by_day[Period.DAY.start(stored.received_at)] += 1

    def freeze(self, now: datetime) -> None:
        """Freeze the day's thresholds, once there is enough to make them from."""
        day = Period.DAY.start(now)
        if self._frozen_on == day or len(self._scores) < ENOUGH_SCORES:
            return
        self._frozen_on = day
        for gone in [one for one in self._by_day if one < day - _LATELY]:
            del self._by_day[gone]
        first_at = max(self._first_at, min(self._by_day, default=day))
        days = max((now - first_at) / timedelta(days=1), 1 / 24)
        for index, (rule, limit) in enumerate(self._wanted):
            scores = [found[index] for found in self._scores]
            traffic = Traffic(
                scores=[score for score in scores if score is not None],
                looked_at=len(scores),
                per_day=self._by_day.total() / days,
            )
            value = threshold_from(rule, limit, traffic)
            if value is not None:
                self.figures[rule.name, "threshold"] = value


class FrozenTraffic:
    """The figures by which a replay decides on what comes next; memory is bounded."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._has_thresholds = any(True for _ in taken_thresholds(policy))
        self._rare_first = [rule.name for rule in policy.rules if wants_label_shares(rule)]
        self._has_rates = bool(audit_rates(policy, 0))
        self._versions: dict[str, _Version] = {}
        self._labels: deque[frozenset[str]] = deque(maxlen=_SAMPLED)
        self._shares: dict[tuple[str, str], float] = {}
        self._shares_on: datetime | None = None
        self._hour: datetime | None = None
        self._arrived = 0
        self._rates: dict[tuple[str, str], float] = {}

    @property
    def is_taken(self) -> bool:
        """Tell whether the policy takes anything from days before, which a replay should look at first."""
        return self._has_thresholds or bool(self._rare_first)

    def figures(self, stored: Stored) -> Figures:
        """Return what is frozen by the time at which a sample came; then let it count for those after it."""
        found: dict[tuple[str, str], float] = {}
        if self._has_rates:
            found |= self._hourly(stored.received_at)
        if self._rare_first:
            found |= self._label_shares(stored)
        if self._has_thresholds and stored.candidate.prediction is not None:
            found |= self._thresholds(stored, stored.candidate.prediction.model_version)
        return found

    def _hourly(self, now: datetime) -> Figures:
        hour = Period.HOUR.start(now)
        if hour != self._hour:
            was_just_before = self._hour is not None and hour - self._hour == timedelta(hours=1)
            rates = audit_rates(self._policy, self._arrived if was_just_before else 0)
            self._rates = {(name, "rate"): rate for name, rate in rates.items()}
            self._hour, self._arrived = hour, 0
        self._arrived += 1
        return self._rates

    def _label_shares(self, stored: Stored) -> Figures:
        day = Period.DAY.start(stored.received_at)
        if day != self._shares_on and len(self._labels) >= ENOUGH_SCORES:
            self._shares_on = day
            counted = Counter(label for labels in self._labels for label in labels)
            self._shares = {
                (rule, f"label_share:{label}"): count / len(self._labels)
                for rule in self._rare_first
                for label, count in counted.items()
            }
        if stored.candidate.prediction is not None:
            self._labels.append(frozenset(predicted_labels(stored.candidate.prediction)))
        return self._shares

    def _thresholds(self, stored: Stored, model_version: str) -> Figures:
        version = self._versions.get(model_version)
        if version is None:
            if len(self._versions) >= _VERSIONS:
                del self._versions[next(iter(self._versions))]
            version = self._versions[model_version] = _Version(self._policy, stored.received_at)
        version.freeze(stored.received_at)
        version.add(stored)
        return version.figures
