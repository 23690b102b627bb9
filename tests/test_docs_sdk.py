"""The SDK's page names all that there is."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from feedback_sdk import FeedbackClient
from feedback_sdk.drops import DropReason
from feedback_sdk.options import Options

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "sdk.md").read_text()
BLOCKS = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def _an_app(tmp_path, monkeypatch):
    """Give the page's code a photo, a server that is away, and a spool."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOOKSWRONG_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LOOKSWRONG_API_KEY", "lw_k1_secret")
    monkeypatch.setenv("LOOKSWRONG_SPOOL_DIR", str(tmp_path / "spool"))
    Image.new("RGB", (640, 480)).save("tray.jpg")


@pytest.mark.usefixtures("_an_app")
def test_the_pages_code_runs_from_top_to_bottom():
    names: dict = {}
    exec(compile(BLOCKS, "sdk.md", "exec"), names)
    asyncio.run(names["handle"](Path("tray.jpg").read_bytes()))
    clients = [value for value in names.values() if isinstance(value, FeedbackClient)]
    assert [(client.stats().accepted, client.stats().dropped) for client in clients] == [
        (2, {}),
        (1, {}),
        (0, {}),
        (1, {}),
    ]
    for client in clients:
        client.close(0)


def test_the_pages_code_is_typed(tmp_path):
    page = tmp_path / "page.py"
    page.write_text(BLOCKS)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(page)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", Options.__annotations__)
def test_every_option_is_explained(name):
    assert re.search(rf"^\| .*`{name}`.*\|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("reason", DropReason)
def test_every_reason_for_a_drop_is_explained(reason):
    assert re.search(rf"^\| .*`{reason}`.*\|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in vars(FeedbackClient) if not name.startswith("_")])
def test_every_method_is_named(name):
    assert name == "is_enabled" or f"`{name}(" in PAGE
