"""When it is time to train the next model: enough has been learned since the last, or the world has changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from queue_server.core.alerts import FigureNow, Message, Unit, say
from queue_server.core.alerts.reading import check_channels
from queue_server.core.estimate import Interval, difference
from queue_server.core.policy.faults import Faults, refuse_unknown
from queue_server.core.policy.parameters import Amount, Choice, Json, Names, Parameter, Span, read_all
from queue_server.errors import PolicyError

_COUNT = {"at_least": 1.0, "at_most": 1e9, "is_optional": True, "is_whole": True}
#: what a file may say of retraining; a threshold that is not given is no reason
RETRAINING: Mapping[str, Parameter] = {
    "new_errors": Amount(about="samples annotated since the last training in which the model was wrong", **_COUNT),  # type: ignore[arg-type]  # as named
    "new_labels": Amount(about="samples annotated since the last training", **_COUNT),  # type: ignore[arg-type]  # as above
    "quality_drop": Amount(about="how far the accuracy fell below what it was at first", is_optional=True),
    "drifted_features": Amount(about="features that have drifted", **_COUNT),  # type: ignore[arg-type]  # as above
    "at_least_labels": Amount(
        about="no signal before so many samples are annotated: there would be nothing to learn from",
        at_most=1e9,
        default=1.0,
        is_whole=True,
    ),
    "wait": Span(about="no signal so soon after the last training", default="0s"),
    "format": Choice(
        about="of the data set that is prepared", values=("coco", "yolo", "csv", "jsonl"), default="jsonl"
    ),
    "include": Names(about="what it holds beside annotators' work: confirmed, affirmed"),
    "channels": Names(about="who is told, by the names of channels"),
}
THRESHOLDS = ("new_errors", "new_labels", "quality_drop", "drifted_features")
_INCLUDED = ("confirmed", "affirmed")
_UNKNOWN = FigureNow(value=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainingRule:
    """What makes it time to train; a threshold that is None is no reason."""

    new_errors: float | None = None
    new_labels: float | None = None
    quality_drop: float | None = None
    drifted_features: float | None = None
    at_least_labels: float = 1.0
    wait_seconds: float = 0.0
    format: str = "jsonl"
    include: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


def parse_retraining(value: object, *, channels: Collection[str]) -> RetrainingRule | None:
    """Return what a project's file says of retraining, or raise PolicyError with the path of all that is wrong.

    >>> parse_retraining({"new_errors": 200}, channels=[]).new_errors
    200.0
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise PolicyError("retraining", f"must be a mapping with one of {', '.join(THRESHOLDS)}, got {value!r}")
    faults = Faults()
    refuse_unknown("retraining", value, RETRAINING, faults)
    said = read_all("retraining", value, RETRAINING, faults)
    check_channels("retraining.channels", _texts(said["channels"]), channels, faults)
    for source in _texts(said["include"]):
        if source not in _INCLUDED:
            faults.add("retraining.include", f"must list {' or '.join(_INCLUDED)}, got {source!r}")
    if not faults and all(said[name] is None for name in THRESHOLDS):
        faults.add("retraining", f"must hold one of {', '.join(THRESHOLDS)}, got none")
    faults.check()
    return RetrainingRule(
        **{name: _optional(said[name]) for name in THRESHOLDS},
        at_least_labels=_optional(said["at_least_labels"]) or 0.0,
        wait_seconds=_optional(said["wait"]) or 0.0,
        format=str(said["format"]),
        include=tuple(sorted(set(_texts(said["include"])))),
        channels=_texts(said["channels"]),
    )


def _texts(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _optional(value: object) -> float | None:
    return value if isinstance(value, float) else None


def retraining_document(rule: RetrainingRule) -> Json:
    """Return it as a document from which the same is read.

    >>> rule = RetrainingRule(new_errors=200.0)
    >>> parse_retraining(retraining_document(rule), channels=[]) == rule
    True
    """
    found: Json = {name: getattr(rule, name) for name in THRESHOLDS if getattr(rule, name) is not None}
    found |= {"at_least_labels": rule.at_least_labels, "wait": rule.wait_seconds, "format": rule.format}
    return found | {"include": list(rule.include), "channels": list(rule.channels)}


def retraining_schema() -> Json:
    """Return its JSON Schema.

    >>> retraining_schema()["type"]
    'object'
    """
    properties = {key: one.schema() for key, one in RETRAINING.items()}
    properties["include"] = {"type": "array", "items": {"enum": list(_INCLUDED)}, "uniqueItems": False}
    return {
        "type": "object",
        "description": "when it is time to train the next model",
        "properties": properties,
        "anyOf": [{"required": [name]} for name in THRESHOLDS],
        "additionalProperties": False,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What has come since the last model was trained."""

    #: when the data of the last model was taken; None: there is no such model
    trained_at: datetime | None
    new_labels: int
    new_errors: int
    #: the accuracy of the version in production now, and what it was at first
    accuracy: FigureNow = _UNKNOWN
    accuracy_at_first: FigureNow = _UNKNOWN
    #: None: not measured
    drifted: tuple[str, ...] | None = None


class ReasonName(StrEnum):
    """Why it is time."""

    NEW_ERRORS = "new_errors"
    NEW_LABELS = "new_labels"
    QUALITY_DROP = "quality_drop"
    DRIFTED_FEATURES = "drifted_features"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One reason to train, or what there is of one: `value` None where it is not known."""

    name: ReasonName
    value: float | None
    threshold: float
    is_reached: bool
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """Whether it is time to train, and how far each reason is from saying so."""

    is_time: bool
    reasons: tuple[Reason, ...]
    #: why not, although a reason is reached; None: nothing holds it back
    held_back: str | None


def advise(rule: RetrainingRule, learned: Learned, *, now: datetime) -> Advice:
    """Return whether it is time to train the next model: one reason will do, unless there is nothing to learn from.

    A drop of quality counts where the accuracy lies below what it was at first by the threshold, and the interval of
    the difference (Newcombe 1998) leaves no doubt that it fell.

    >>> learned = Learned(trained_at=None, new_labels=900, new_errors=210)
    >>> advise(RetrainingRule(new_errors=200), learned, now=datetime(2026, 11, 20)).is_time
    True
    """
    found = (_errors(rule, learned), _labels(rule, learned), _quality(rule, learned), _drift(rule, learned))
    reasons = tuple(reason for reason in found if reason is not None)
    held_back = _held_back(rule, learned, now)
    is_reached = any(reason.is_reached for reason in reasons)
    return Advice(
        is_time=is_reached and held_back is None,
        reasons=reasons,
        held_back=held_back if is_reached else None,
    )


def _held_back(rule: RetrainingRule, learned: Learned, now: datetime) -> str | None:
    if learned.new_labels < rule.at_least_labels:
        return f"{learned.new_labels} samples are annotated since the last training, of {rule.at_least_labels:.0f}"
    if learned.trained_at is not None and now - learned.trained_at < timedelta(seconds=rule.wait_seconds):
        return f"the last training's data was taken on {learned.trained_at:%Y-%m-%d %H:%M} UTC"
    return None


def _errors(rule: RetrainingRule, learned: Learned) -> Reason | None:
    count, threshold = learned.new_errors, rule.new_errors
    if threshold is None:
        return None
    sentence = f"{count} samples were annotated in which the model was wrong, of {threshold:.0f} that make it time"
    return Reason(
        name=ReasonName.NEW_ERRORS,
        value=float(count),
        threshold=threshold,
        is_reached=count >= threshold,
        sentence=sentence,
    )


def _labels(rule: RetrainingRule, learned: Learned) -> Reason | None:
    count, threshold = learned.new_labels, rule.new_labels
    if threshold is None:
        return None
    sentence = f"{count} samples were annotated, of {threshold:.0f} that make it time"
    return Reason(
        name=ReasonName.NEW_LABELS,
        value=float(count),
        threshold=threshold,
        is_reached=count >= threshold,
        sentence=sentence,
    )


def _quality(rule: RetrainingRule, learned: Learned) -> Reason | None:
    threshold, now, then = rule.quality_drop, learned.accuracy, learned.accuracy_at_first
    if threshold is None:
        return None
    before, after = _interval(then), _interval(now)
    fell = difference(before, after) if before is not None and after is not None else None
    sentence = (
        f"the accuracy is {say(now.value, Unit.SHARE)}, and was {say(then.value, Unit.SHARE)} at first;"
        f" a drop of {threshold * 100:g} points makes it time"
    )
    return Reason(
        name=ReasonName.QUALITY_DROP,
        value=fell.value if fell is not None else None,
        threshold=threshold,
        is_reached=fell is not None and fell.value >= threshold and fell.low > 0,
        sentence=sentence,
    )


def _interval(figure: FigureNow) -> Interval | None:
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return Interval(value=figure.value, low=figure.low, high=figure.high)


def _drift(rule: RetrainingRule, learned: Learned) -> Reason | None:
    threshold = rule.drifted_features
    if threshold is None:
        return None
    count = len(learned.drifted) if learned.drifted is not None else None
    names = f": {', '.join(learned.drifted)}" if learned.drifted else ""
    how_many = "not known how many" if count is None else f"{count}"
    return Reason(
        name=ReasonName.DRIFTED_FEATURES,
        value=float(count) if count is not None else None,
        threshold=threshold,
        is_reached=count is not None and count >= threshold,
        sentence=f"{how_many} features have drifted, of {threshold:.0f} that make it time{names}",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A data set to train on: its id, its manifest, and where it is fetched."""

    export_id: str
    url: str
    manifest: Json


def retraining_message(
    project: str, advice: Advice, *, prepared: Prepared | None, compared: str | None, link: str, at: datetime
) -> Message:
    """Return what is said when it is time to train.

    >>> advice = Advice(is_time=True, reasons=(), held_back=None)
    >>> at = datetime(2026, 11, 20)
    >>> retraining_message("pills", advice, prepared=None, compared=None, link="http://x", at=at).title
    'pills: it is time to train the next model'
    """
    reached = [reason for reason in advice.reasons if reason.is_reached]
    lines = [reason.sentence for reason in reached]
    lines += [f"data set: {prepared.url}, export {prepared.export_id}"] if prepared is not None else []
    lines += [compared] if compared is not None else []
    return Message(
        title=f"{project}: it is time to train the next model",
        lines=tuple(lines),
        link=link,
        document={
            "kind": "retraining",
            "project": project,
            "at": at.isoformat().replace("+00:00", "Z"),
            "reasons": [
                {
                    "name": reason.name.value,
                    "value": reason.value,
                    "threshold": reason.threshold,
                    "text": reason.sentence,
                }
                for reason in reached
            ],
            "export": _export_document(prepared),
            "comparison": compared,
            "link": link,
        },
    )


#: a manifest that lists more says so, and stands whole in the data set
_MOST_ITEMS = 2000


def _export_document(prepared: Prepared | None) -> Json | None:
    if prepared is None:
        return None
    manifest, items = prepared.manifest, prepared.manifest.get("items")
    if isinstance(items, list) and len(items) > _MOST_ITEMS:
        manifest = {key: value for key, value in manifest.items() if key != "items"}
        manifest["items_left_out"] = len(items)
    return {"id": prepared.export_id, "url": prepared.url, "manifest": manifest}
