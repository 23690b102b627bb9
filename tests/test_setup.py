import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import services, setup

ROOT = Path(__file__).parents[1]
HAS_BUNDLE = any(Path(bundle).exists() for bundle in services.CHROMIUM_BUNDLES)
NO_BUNDLE = pytest.mark.skipif(HAS_BUNDLE, reason="Chrome is found as a macOS application, whatever the path says")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing is set up yet."""
    for folder in ("scripts", "queue_server", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run_setup(checkout: Path, *steps: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run set-up with the bare interpreter and nothing on the path."""
    command = [sys._base_executable, "-S", "scripts/setup.py", *steps]
    environment = {"PATH": "/nowhere", "HOME": str(checkout)} | environment
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("steps", "said"), [((), "required: STEP"), (("apps",), "label-studio")])
def test_step_that_does_not_exist_is_refused(checkout: Path, steps: tuple[str, ...], said: str) -> None:
    failed = run_setup(checkout, *steps)
    assert failed.returncode == 2
    assert said in failed.stderr


def test_help_explains_each_step(checkout: Path) -> None:
    shown = run_setup(checkout, "--help").stdout
    assert [f"setup.py {step} " in shown for step in setup.STEPS] == [True] * len(setup.STEPS)


@NO_BUNDLE
def test_missing_service_is_named_with_its_remedy_and_is_no_failure(checkout: Path) -> None:
    done = run_setup(checkout, "services")
    assert done.returncode == 0
    assert "Chromium: not on this machine, its tests will be skipped; install Chromium or Chrome" in done.stderr


@NO_BUNDLE
def test_missing_service_is_a_failure_in_ci(checkout: Path) -> None:
    failed = run_setup(checkout, "services", CI="true")
    assert failed.returncode == 1
    assert "set-up failed: in CI (CI=true) every service must be there" in failed.stderr


def test_missing_venv_module_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(setup.SetupError, match=r"run `sudo apt-get install python3\.\d+-venv`, or install uv"):
        setup._require_venv_module()


def test_command_that_fails_is_named_with_a_remedy() -> None:
    with pytest.raises(setup.SetupError, match=r"ended with code 3 .*sys\.exit\(3\)\nIf it") as raised:
        setup._run(sys.executable, "-c", "import sys; sys.exit(3)")
    assert "UV_DEFAULT_INDEX" in str(raised.value)


def test_bootstrapped_uv_is_pinned_by_version_and_hash() -> None:
    lines = setup._locked("uv").splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", lines[0])
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
    assert len(lines) > 1


def test_environment_is_current_until_its_lock_file_changes(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert not setup._is_current(tmp_path, "lock 1")
    setup._write_stamp(tmp_path, "lock 1")
    assert [setup._is_current(tmp_path, digest) for digest in ("lock 1", "lock 2")] == [True, False]


def test_environment_of_a_moved_checkout_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert setup._works(tmp_path)
    (tmp_path / "lookswrong-stamp").write_text("lock 1\n/another/place\n")
    assert not setup._works(tmp_path)


def test_environment_without_a_python_is_made_again(tmp_path: Path) -> None:
    assert not setup._works(tmp_path)


def test_index_of_pip_is_the_index_of_uv_unless_uv_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    assert setup._uv_environment()["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    assert setup._uv_environment()["UV_DEFAULT_INDEX"] == "https://own.example/simple"


def test_newest_postgresql_comes_first_by_number() -> None:
    folders = [Path(f"/usr/lib/postgresql/{version}/bin") for version in ("9.6", "16", "15", "10")]
    ordered = services.newest_first(folders)
    assert [folder.parent.name for folder in ordered] == ["16", "15", "10", "9.6"]


def test_services_that_are_found_can_be_run() -> None:
    found = [services.find_postgresql(), services.find_redis(), services.find_chromium()]
    programs = [path / "initdb" if path and path.is_dir() else path for path in found]
    assert all(os.access(program, os.X_OK) for program in programs if program is not None)
