"""What is said of an alert: what is, what was expected, the time span, how much it stands on, and where to look."""

from datetime import timedelta

import pytest

from queue_server.core.alerts import AlertRule, Event, FigureNow, Limits, Message, Occasion, Unit, message, say
from tests.core.test_alerts_standing import NOW

LEAST = Limits(at_least=0.9)


def said(event: Event = Event.FIRED, figure: FigureNow | None = None, **more: object) -> Message:
    rule = AlertRule(**({"name": "fell", "figure": "accuracy", "limits": LEAST, "clear": LEAST} | more))
    occasion = Occasion(
        project="pills",
        event=event,
        incident=3,
        model_version="v8",
        since=NOW - timedelta(hours=2),
        at=NOW,
        link="http://here/alerts",
    )
    known = FigureNow(value=0.812, low=0.771, high=0.85, n=312, since=NOW - timedelta(days=30))
    return message(rule, figure or known, occasion)


@pytest.mark.parametrize(
    ("event", "title"),
    [
        (Event.FIRED, "pills: accuracy is 81.2 %, expected at least 90 %"),
        (Event.REMINDED, "pills: accuracy is still 81.2 %, expected at least 90 %"),
        (Event.RESOLVED, "pills: accuracy is back at 81.2 %, expected at least 90 %"),
    ],
)
def test_title_says_what_is_and_what_was_expected(event: Event, title: str) -> None:
    assert said(event).title == title


def test_text_says_all_that_one_needs_to_judge_it() -> None:
    assert said(slice="night").text.splitlines() == [
        "fell: the share of predictions that an annotator leaves as they are, over all that came",
        "is: 81.2 % (77.1 % to 85 %), model version v8, slice night, n = 312",
        "expected: at least 90 %",
        "time: 2026-10-21 12:00 to 2026-11-20 12:00 UTC, so since 2026-11-20 10:00 UTC",
        "http://here/alerts",
    ]


def test_document_holds_the_same_for_programs() -> None:
    found = said().document
    assert (found["event"], found["incident"], found["value"], found["n"]) == ("fired", 3, 0.812, 312)
    assert (found["expected"], found["at"]) == ({"at_least": 0.9, "at_most": None}, "2026-11-20T12:00:00Z")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.SHARE, "not known"),
        (0.0, Unit.SHARE, "0 %"),
        (1.0, Unit.SHARE, "100 %"),
        (12345.0, Unit.COUNT, "12345"),
        (0.0, Unit.SECONDS, "0 s"),
        (90.0, Unit.SECONDS, "1.5 min"),
        (200_000.0, Unit.SECONDS, "2.3 d"),
        (-0.0213, Unit.NUMBER, "-0.0213"),
    ],
)
def test_figures_are_said_in_peoples_units(value: float | None, unit: Unit, text: str) -> None:
    assert say(value, unit) == text
