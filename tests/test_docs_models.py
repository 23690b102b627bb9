"""docs/models.md names what slices, files and cards hold, and its file is one."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from queue_server.cli import main
from queue_server.core.model_card import KEYS
from queue_server.core.policy.conditions import SLICE_FIELDS
from queue_server.core.slices import FEWEST_ANNOTATED
from queue_server.core.slices.search import FAMILYWISE_ERROR_RATE
from queue_server.model_file import parse
from queue_server.reports.slices import SliceQuality, Worst, WorstSlice

DOCS = (Path(__file__).parent.parent / "docs" / "models.md").read_text()
PLAIN = {"name", "condition", "model_version", "annotated", "p_value", "slices"}
NAMES = {field.name for kind in (SliceQuality, Worst, WorstSlice) for field in fields(kind)} - PLAIN
COMMANDS = re.findall(r"^lookswrong (\w+) (\w+)", DOCS, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(NAMES | SLICE_FIELDS.keys()))
def test_docs_name_what_slices_hold(name: str) -> None:
    assert re.search(rf"`{name}[`.]", DOCS)


def test_file_of_the_docs_has_every_key() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
    assert parse(text).version == "v8"
    assert [key for key in KEYS if not re.search(rf"^{key}:", text, re.MULTILINE)] == []


def test_docs_tell_the_numbers_of_the_search() -> None:
    assert f"At least {FEWEST_ANNOTATED} annotated samples" in DOCS
    assert f"`familywise_error_rate` ({FAMILYWISE_ERROR_RATE:.0%})" in DOCS


@pytest.mark.parametrize(("group", "name"), sorted(set(COMMANDS) - {("report", "quality"), ("report", "slices")}))
def test_commands_of_the_docs_are_there(group: str, name: str) -> None:
    assert name in main.commands[group].commands
