"""The SDK's page names all that there is."""

import re
from pathlib import Path

import pytest

from feedback_sdk import FeedbackClient
from feedback_sdk.drops import DropReason
from feedback_sdk.options import Options

PAGE = (Path(__file__).parents[1] / "docs" / "sdk.md").read_text()


@pytest.mark.parametrize("name", Options.__annotations__)
def test_every_option_is_explained(name):
    assert re.search(rf"^\| .*`{name}`.*\|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("reason", DropReason)
def test_every_reason_for_a_drop_is_explained(reason):
    assert re.search(rf"^\| .*`{reason}`.*\|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in vars(FeedbackClient) if not name.startswith("_")])
def test_every_method_is_named(name):
    assert name == "is_enabled" or f"`{name}(" in PAGE
