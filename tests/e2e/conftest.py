"""What every test with real `lookswrong` processes needs: nothing of this machine's own settings."""

import os
from collections.abc import Iterator

import pytest

from queue_server.settings import Settings


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide settings of this machine, and let the many processes share what Python compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*Settings.model_fields, "url", "api_key", "spool_dir"):
            patch.delenv(f"LOOKSWRONG_{name.upper()}", raising=False)
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            patch.setenv("PYTHONDONTWRITEBYTECODE", "")
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        yield
