"""Where real images for tests are kept, on machines that have them; a clone does not."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]


def real_files(name: str) -> Path:
    """Return the folder of that name below LOOKSWRONG_TEST_DATA, or below a `data` folder beside the checkout."""
    given = os.environ.get("LOOKSWRONG_TEST_DATA")
    places = [Path(given)] if given else sorted(_ROOT.parent.glob("*/data"))
    for place in places:
        if (place / name).is_dir():
            return place / name
    pytest.skip(f"the real files {name!r} are not on this machine: set LOOKSWRONG_TEST_DATA to their folder")
