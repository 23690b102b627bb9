"""Read a policy from a project's file, and write it back as a document that reads the same for ever."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from queue_server.core.policy.budget import AUDIT_SHARE, REPORTER_SHARE, Allowance, Budget, Period
from queue_server.core.policy.conditions import Condition
from queue_server.core.policy.faults import Faults, nearest, refuse_unknown
from queue_server.core.policy.parameters import (
    Amount,
    Choice,
    Clause,
    Flag,
    Json,
    Name,
    Names,
    Parameter,
    Span,
    Threshold,
    Value,
    read_all,
)
from queue_server.core.policy.rules import SILENCE, NearDuplicates, Policy, Route, Rule, SilenceAffirms, Strategy
from queue_server.errors import PolicyError

Strategies = Mapping[str, Strategy]

_COUNT = Amount(about="labeling tasks", at_least=0, at_most=1e9, is_optional=True, is_whole=True)
_MINUTES = Amount(about="minutes of annotators' time", at_least=0, at_most=1e9, is_optional=True)
#: key of a budget -> its period, and whether it counts tasks or annotators' minutes
ALLOWANCES: Mapping[str, tuple[Period, Amount]] = {
    "per_minute": (Period.MINUTE, _COUNT),
    "per_hour": (Period.HOUR, _COUNT),
    "per_day": (Period.DAY, _COUNT),
    "minutes_per_hour": (Period.HOUR, _MINUTES),
    "minutes_per_day": (Period.DAY, _MINUTES),
}
#: what a budget may say beside its limits
BUDGET: Mapping[str, Parameter] = {
    "mode": Choice(
        about="the first that come, or, at the period's end, the best",
        values=("first_come", "held"),
        default="first_come",
    ),
    "audit_share": Amount(about="the part that the audit alone may use", default=AUDIT_SHARE),
    "reporter_share": Amount(about="the most of each limit that one reporter may use", default=REPORTER_SHARE),
}

#: what any rule may carry, whatever its strategy
COMMON: Mapping[str, Parameter] = {
    "name": Name(about="names the reason and keys the draws; the strategy's where it is not given", is_optional=True),
    "priority": Amount(about="the highest comes first", at_most=1000, is_optional=True, is_whole=True),
    "probability": Amount(about="the chance with which a match is taken", default=1.0),
    "labels": Names(about="look at these labels alone"),
    "where": Clause(about="a condition that must hold", is_optional=True),
    "tags": Names(about="given to every sample that matches"),
    "annotators": Amount(about="how many look at it", at_least=1, at_most=20, default=1, is_whole=True),
}
ROUTE: Mapping[str, Parameter] = {
    "project": Name(about="the title of another Label Studio project", is_optional=True),
    "tab": Name(about="a tab of its own, instead of the inbox", is_optional=True),
}
NEAR: Mapping[str, Parameter] = {
    "distance": Amount(about="bits of 64 that may differ", at_most=32, default=4, is_whole=True),
    "span": Span(about="how far apart they may arrive", default="1h"),
    "same_stream": Flag(about="compare frames of one stream alone"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyText:
    """What a file says of a policy, read and checked."""

    rules: tuple[Rule, ...]
    budget: Budget | None = None
    near_duplicates: NearDuplicates | None = None
    silence_affirms: SilenceAffirms = SilenceAffirms.ALWAYS

    def policy(self, *, version: int, salt: bytes) -> Policy:
        """Return the policy of a project with this salt; only what the audit may draw is reserved for it."""
        budget = self.budget
        if budget is not None and not any(rule.kind.is_audit and rule.parameters["rate"] for rule in self.rules):
            budget = replace(budget, audit_share=0.0)
        near, affirms = self.near_duplicates, self.silence_affirms
        return Policy(
            version=version, rules=self.rules, salt=salt, budget=budget, near_duplicates=near, silence_affirms=affirms
        )


def parse_policy(document: Mapping[str, object], strategies: Strategies) -> PolicyText:
    """Return the policy of a project's file, or raise PolicyError with the path of all that is wrong.

    >>> parse_policy({"rules": []}, {}).rules
    ()
    """
    faults = Faults()
    rules = document.get("rules", [])
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        faults.add("rules", f"must be a list, got {rules!r}")
        rules = []
    parsed = faults.hear(lambda: parse_rules(rules, strategies)) or ()
    budget = faults.hear(lambda: _parse_budget("budget", document.get("budget")))
    near = faults.hear(lambda: _parse_near_duplicates("near_duplicates", document.get("near_duplicates")))
    silence = faults.hear(lambda: SILENCE.read("silence_affirms", document.get("silence_affirms")))
    if budget is not None and budget.is_held:
        for index, rule in enumerate(parsed):
            if rule.budget is not None and rule.budget.is_held:
                faults.add(f"rules.{index}.budget.mode", "must be first_come, as the whole policy's budget is held")
    faults.check()
    affirms = SilenceAffirms(str(silence))
    return PolicyText(rules=parsed, budget=budget, near_duplicates=near, silence_affirms=affirms)


def parse_rules(document: Sequence[object], strategies: Strategies) -> tuple[Rule, ...]:
    """Return the rules that a project file lists, or raise PolicyError with the path of all that is wrong.

    >>> parse_rules([], {})
    ()
    """
    faults = Faults()
    rules: list[Rule] = []
    for index, item in enumerate(document):
        path = f"rules.{index}"
        rule = faults.hear(lambda path=path, item=item: _parse_rule(path, item, strategies))  # type: ignore[misc]  # bound now
        if rule is None:
            continue
        if any(rule.name == other.name for other in rules):
            faults.add(f"{path}.name", f"must be unique, {rule.name!r} is taken: give this rule a name")
        rules.append(rule)
    faults.check()
    return tuple(rules)


def _parse_rule(path: str, item: object, strategies: Strategies) -> Rule:
    if not isinstance(item, Mapping):
        raise PolicyError(path, f"must be a mapping with a strategy, got {item!r}")
    strategy_name = str(item.get("strategy", ""))
    strategy = strategies.get(strategy_name)
    if strategy is None:
        known = ", ".join(strategies)
        raise PolicyError(
            f"{path}.strategy", f"must be one of {known}, got {strategy_name!r}{nearest(strategy_name, strategies)}"
        )
    faults = Faults()
    refuse_unknown(path, item, ("strategy", *COMMON, "route", "budget", *strategy.parameters), faults)
    common = read_all(path, item, COMMON, faults)
    parameters = read_all(path, item, strategy.parameters, faults)
    route = faults.hear(lambda: _parse_route(f"{path}.route", item.get("route")))
    budget = faults.hear(lambda: _parse_budget(f"{path}.budget", item.get("budget")))
    if budget is not None and (strategy.is_audit or strategy.is_by_hand):
        faults.add(f"{path}.budget", f"must not be given to {strategy_name}: its draws are never dropped")
    if not faults and strategy.check is not None and (fault := strategy.check(parameters)):
        faults.add(f"{path}.{fault[0]}", fault[1])
    faults.check()
    name, priority, where = common["name"] or strategy_name, common["priority"], common["where"]
    assert where is None or isinstance(where, Condition)
    return Rule(
        strategy=strategy_name,
        kind=strategy,
        name=str(name),
        priority=strategy.priority if priority is None else int(_number(priority)),
        probability=_number(common["probability"]),
        labels=_texts(common["labels"]),
        where=where,
        tags=_texts(common["tags"]),
        route=route,
        budget=budget,
        annotators=int(_number(common["annotators"])),
        parameters=parameters,
    )


def _mapping(path: str, value: object, known: Iterable[str], faults: Faults) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise PolicyError(path, f"must be a mapping with {', '.join(known)}, got {value!r}")
    refuse_unknown(path, value, known, faults)
    return value


def _parse_route(path: str, value: object) -> Route | None:
    if value is None:
        return None
    faults = Faults()
    given = read_all(path, _mapping(path, value, ROUTE, faults), ROUTE, faults)
    project, tab = given["project"], given["tab"]
    if project is None and tab is None:
        faults.add(path, "must name a project, a tab, or both")
    if isinstance(project, str) and not 3 <= len(project) <= 50:
        # Label Studio refuses others.
        faults.add(f"{path}.project", f"must have 3 to 50 characters, got {len(project)}")
    if isinstance(tab, str) and (len(tab) > 100 or tab.lower() in ("yes", "no", "inbox", "default")):
        faults.add(f"{path}.tab", f"must have at most 100 characters and be another than Inbox, got {tab!r}")
    faults.check()
    return Route(project=project if isinstance(project, str) else None, tab=tab if isinstance(tab, str) else None)


def _parse_budget(path: str, value: object) -> Budget | None:
    if value is None:
        return None
    faults = Faults()
    known = (*ALLOWANCES, "per_stream", "per_reporter", *BUDGET)
    item = _mapping(path, value, known, faults)
    allowances = faults.hear(lambda: _parse_allowances(path, item)) or ()
    said = read_all(path, item, BUDGET, faults)
    is_held = said["mode"] == "held"
    caps = {name: _parse_caps(f"{path}.{name}", item.get(name), faults) for name in ("per_stream", "per_reporter")}
    if not faults and not allowances and not any(caps.values()):
        faults.add(path, f"must hold one of {', '.join(ALLOWANCES)}, got none")
    if not faults and is_held and len(allowances) != 1:
        faults.add(f"{path}.mode", f"must be first_come unless one period is limited, got {len(allowances)}")
    faults.check()
    return Budget(
        allowances=allowances,
        is_held=is_held,
        audit_share=_number(said["audit_share"]),
        reporter_share=_number(said["reporter_share"]),
        **caps,
    )


def _parse_caps(path: str, value: object, faults: Faults) -> tuple[Allowance, ...]:
    if value is None:
        return ()

    def read() -> tuple[Allowance, ...]:
        inner = Faults()
        item = _mapping(path, value, ALLOWANCES, inner)
        inner.check()
        return _parse_allowances(path, item)

    return faults.hear(read) or ()


def _parse_allowances(path: str, item: Mapping[object, object]) -> tuple[Allowance, ...]:
    tasks: dict[Period, int] = {}
    seconds: dict[Period, float] = {}
    faults = Faults()
    for key, (period, bound) in ALLOWANCES.items():
        value = faults.hear(lambda key=key, bound=bound: bound.read(f"{path}.{key}", item.get(key)))  # type: ignore[misc]  # bound now
        if isinstance(value, float) and bound is _COUNT:
            tasks[period] = int(value)
        elif isinstance(value, float):
            seconds[period] = value * 60.0
    faults.check()
    return tuple(
        Allowance(period=period, tasks=tasks.get(period), seconds=seconds.get(period))
        for period in Period
        if period in tasks or period in seconds
    )


def _parse_near_duplicates(path: str, value: object) -> NearDuplicates | None:
    if value is None:
        return None
    faults = Faults()
    given = read_all(path, _mapping(path, value, NEAR, faults), NEAR, faults)
    faults.check()
    return NearDuplicates(
        distance=int(_number(given["distance"])),
        span_seconds=_number(given["span"]),
        is_same_stream=given["same_stream"] is True,
    )


def _number(value: Value) -> float:
    assert isinstance(value, float)
    return value


def _texts(value: Value) -> tuple[str, ...]:
    assert isinstance(value, tuple)
    return value


def rule_document(rule: Rule) -> Json:
    """Return a rule as a document from which `parse_rules` makes the same rule, its defaults written out."""
    found: Json = {
        "strategy": rule.strategy,
        "name": rule.name,
        "priority": rule.priority,
        "probability": rule.probability,
    }
    optional: Mapping[str, object] = {
        "labels": list(rule.labels),
        "where": rule.where.text if rule.where else None,
        "tags": list(rule.tags),
        "route": _route_document(rule.route),
        "budget": budget_document(rule.budget),
        "annotators": rule.annotators if rule.annotators > 1 else None,
    }
    written = {key: _written(value) for key, value in rule.parameters.items()}
    return found | {key: value for key, value in (*optional.items(), *written.items()) if value not in (None, [], {})}


def _written(value: Value) -> object:
    if isinstance(value, Threshold):
        return value.value if value.kind == "number" else {value.kind: value.value}
    if isinstance(value, Condition):
        return value.text
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _route_document(route: Route | None) -> Json | None:
    if route is None:
        return None
    return {key: value for key, value in (("project", route.project), ("tab", route.tab)) if value is not None}


def budget_document(budget: Budget | None) -> Json | None:
    """Return a budget as a document from which the same is read.

    >>> budget_document(None) is None
    True
    """
    if budget is None:
        return None
    found = _allowances_document(budget.allowances)
    found["mode"] = "held" if budget.is_held else "first_come"
    for name in ("per_stream", "per_reporter"):
        if caps := getattr(budget, name):
            found[name] = _allowances_document(caps)
    return found | {"audit_share": budget.audit_share, "reporter_share": budget.reporter_share}


def _allowances_document(allowances: Iterable[Allowance]) -> Json:
    found: Json = {}
    for allowance in allowances:
        for key, (period, bound) in ALLOWANCES.items():
            value = allowance.tasks if bound is _COUNT else allowance.seconds
            if period is allowance.period and value is not None:
                found[key] = value if bound is _COUNT else value / 60.0
    return found


def near_duplicates_document(near: NearDuplicates | None) -> Json | None:
    """Return what counts as the same picture as a document from which the same is read.

    >>> near_duplicates_document(None) is None
    True
    """
    if near is None:
        return None
    return {"distance": near.distance, "span": near.span_seconds, "same_stream": near.is_same_stream}
