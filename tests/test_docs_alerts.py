"""docs/alerts.md names every figure with its stretch, every key, every state, and its snippet checks a signature."""

import re
from pathlib import Path

import pytest

from queue_server.core.alerts import FIGURES, Action, ChannelKind, Event, Status, kind_of
from queue_server.core.alerts.figures import FigureKind
from queue_server.core.alerts.reading import ALERT, SIDES, SPANS
from queue_server.core.retraining import RETRAINING, THRESHOLDS
from queue_server.notify.http import sign
from queue_server.policy_file import parse
from tests.core.test_alerts_wording import said

DOCS = (Path(__file__).parent.parent / "docs" / "alerts.md").read_text()
_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


def span(seconds: float | None) -> str:
    if seconds is None:
        return "now"
    return next(f"{seconds / unit:g} {name}" for unit, name in _UNITS if seconds >= unit)


def row(name: str, kind: FigureKind) -> str:
    return f"| `{name}` | {kind.about} | {span(kind.over_seconds)} | {span(kind.pace_seconds)} |"


def test_table_of_figures_is_that_of_the_code() -> None:
    feature, metric = kind_of("drift.brightness"), kind_of("metric.brightness")
    assert feature is not None
    assert metric is not None
    wanted = [row(name, kind) for name, kind in FIGURES.items()]
    wanted += [row("drift.NAME", feature), row("metric.NAME", metric)]
    there = [line for line in DOCS.splitlines() if line.startswith("| `")]
    assert [line for line in wanted if line not in there] == []


@pytest.mark.parametrize("name", ["name", "figure", "clear", *SIDES, *ALERT, *SPANS, *RETRAINING, *said().document])
def test_docs_name_every_key(name: str) -> None:
    assert f"`{name}`" in DOCS


@pytest.mark.parametrize("name", [*Status, *Action, *list(Event)[:3], *ChannelKind])
def test_docs_name_every_state_action_and_kind(name: str) -> None:
    said_by_a_person = {"acknowledged", "snoozed", "disabled"}
    assert name in said_by_a_person or re.search(rf"[`{{]{name}[`:]", DOCS)


def test_file_of_the_docs_is_taken() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    file = parse(text)
    assert (len(file.alerts), len(file.channels)) == (5, 3)
    assert file.retraining is not None
    assert {name for name in THRESHOLDS if getattr(file.retraining, name)} == {*THRESHOLDS} - {"new_labels"}


@pytest.mark.parametrize(
    ("body", "secret", "is_right"), [(b"{}", "hush", True), (b"[]", "hush", False), (b"{}", "x", False)]
)
def test_snippet_checks_a_signature(body: bytes, secret: str, is_right: bool) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    names: dict = {}
    exec(code, names)  # the docs' own code
    assert names["is_ours"](body, sign(b"{}", secret="hush", at=1_700_000_000), secret) is is_right
