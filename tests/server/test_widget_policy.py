"""What a project's file says of pages, and keys for them by command."""

import subprocess
import sys
from pathlib import Path

import pytest

from queue_server import policy_file
from queue_server.backend import Backend
from queue_server.core.policy.rules import SilenceAffirms
from queue_server.errors import PolicyError
from queue_server.store import projects
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, PROJECT, apply_project


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("origins: []", ()),
        ("origins: ['https://app.example']", ("https://app.example",)),
        ("origins: ['https://app.example', 'https://app.example:443']", ("https://app.example",)),
        ("origins: ['http://localhost:3000', 'http://127.0.0.1:80']", ("http://localhost:3000", "http://127.0.0.1")),
        ("origins: ['http://[::1]:8080', 'capacitor://localhost']", ("http://[::1]:8080", "capacitor://localhost")),
        ("origins: ['https://xn--bcher-kva.example']", ("https://xn--bcher-kva.example",)),
    ],
)
def test_origins_are_read_as_browsers_send_them(text: str, expected: tuple[str, ...] | None) -> None:
    assert policy_file.parse(PROJECT + text).origins == expected


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("https://app.example", "origins"),
        ("{a: b}", "origins"),
        ("[https://app.example/]", "origins.0"),
        ("[https://app.example/path]", "origins.0"),
        ("['https://ok.example', 'https://App.example']", "origins.1"),
        ("[app.example]", "origins.0"),
        ("['https://*.example']", "origins.0"),
        ("['https://user@app.example']", "origins.0"),
        ("['https://app.example:port']", "origins.0"),
        ("['*']", "origins.0"),
        ("['null']", "origins.0"),
        ("[3]", "origins.0"),
        ("['https://bücher.example']", "origins.0"),
    ],
)
def test_origin_that_no_browser_sends_is_refused(value: str, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_file.parse(f"{PROJECT}origins: {value}\n")
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "always"), ("silence_affirms: always", "always"), ("silence_affirms: shown", "shown")],
)
def test_what_silence_affirms_is_read_and_kept(sqlite_backend: Backend, text: str, expected: str) -> None:
    project = apply_project(sqlite_backend, PROJECT + text)
    with reading(sqlite_backend.engine) as session:
        pinned = projects.policy(session, project, project.policy_version)
        described = policy_file.describe(project, projects.version_row(session, project, project.policy_version))
    assert pinned.policy.silence_affirms is SilenceAffirms(expected)
    assert described["silence_affirms"] == expected


@pytest.mark.parametrize("value", ["never", "3", "[shown]", "true"])
def test_silence_affirms_nothing_else(value: str) -> None:
    with pytest.raises(PolicyError, match="silence_affirms: must be one of always, shown"):
        policy_file.parse(f"{PROJECT}silence_affirms: {value}\n")


@pytest.mark.parametrize(("text", "is_new"), [("silence_affirms: shown", True), ("origins: []", False), ("", False)])
def test_another_silence_is_another_policy_and_other_pages_are_not(
    sqlite_backend: Backend, text: str, is_new: bool
) -> None:
    apply_project(sqlite_backend)
    with writing(sqlite_backend.engine) as session:
        assert policy_file.apply(session, policy_file.parse(PROJECT + text), now=NOW).is_new_version is is_new


def test_origins_that_are_left_out_are_gone(sqlite_backend: Backend) -> None:
    assert apply_project(sqlite_backend, PROJECT + "origins: ['https://a.example']").origins == ["https://a.example"]
    assert apply_project(sqlite_backend).origins is None


def key_command(backend: Backend, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `lookswrong key`."""
    command = [sys.executable, "-m", "queue_server", "key", *arguments]
    known = {"LOOKSWRONG_DATA_DIR": str(backend.settings.data_dir), "LOOKSWRONG_SECRET_KEY": "s" * 32}
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, env=known, capture_output=True, text=True, check=False, timeout=60)


def test_command_makes_and_revokes_a_publishable_key(sqlite_backend: Backend) -> None:
    apply_project(sqlite_backend)
    key = key_command(sqlite_backend, "create", "--scope", "publish").stdout.strip()
    assert key.startswith("lwp_")
    assert "publish" in key_command(sqlite_backend, "list").stdout
    assert key_command(sqlite_backend, "revoke", key).stdout == "revoked\n"


def test_command_makes_no_publishable_key_that_may_do_more(sqlite_backend: Backend) -> None:
    apply_project(sqlite_backend)
    refused = key_command(sqlite_backend, "create", "--scope", "publish", "--scope", "ingest")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "publish must stand alone" in refused.stderr
