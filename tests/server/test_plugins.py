"""A strategy of another package: found by its entry point, taken by a project's file, used by decisions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
from queue_server.core.policy import Match, Rule, Strategy
from queue_server.core.policy.parameters import Amount


def match_long_name(rule, candidate, now):
    length = len(candidate.prediction.model_version)
    limit = rule.parameters["longer_than"]
    return Match(matched=length > limit, score=float(length), compared={"length": length, "longer_than": limit})


STRATEGY = Strategy(
    about="the model's version has a long name",
    match=match_long_name,
    parameters={"longer_than": Amount(about="characters", at_most=200)},
)
NO_STRATEGY = match_long_name
"""
PROJECT = """
project: pill-counter
task: detection
labels: [pill]
rules:
  - {strategy: long_name, longer_than: 3, priority: 70}
"""
DECIDE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from feedback_sdk.types import Prediction
from queue_server import policy_file
from queue_server.core.policy import Candidate, Opinion, State, decide

now = datetime(2026, 11, 20, tzinfo=UTC)
policy = policy_file.parse(Path(sys.argv[1]).read_text()).policy.policy(version=1, salt=b"salt")
for version in ("v1", "version 1"):
    said = Prediction(model_version=version, task="detection", boxes=[])
    found = decide(
        Candidate(
            sample_id=UUID(int=1),
            state=State.AWAITING_FEEDBACK,
            prediction=said,
            opinion=Opinion(),
            window_ends_at=now,
        ),
        policy,
        now,
    )
    print(found.state.value, found.reason, found.rules[0].compared)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The project's file."""
    found = tmp_path / "project.yaml"
    found.write_text(PROJECT)
    return found


def install(folder: Path, entry: str) -> None:
    """Put a package with one entry point into a folder, as an installer would."""
    (folder / "long_names").mkdir()
    (folder / "long_names" / "__init__.py").write_text(PLUGIN)
    about = folder / "long_names-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: long-names\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[lookswrong.strategies]\n{entry}\n")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the folder's packages are installed too."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(folder), "LOOKSWRONG_DATA_DIR": str(folder / "data")},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def apply(file: Path) -> subprocess.CompletedProcess[str]:
    return run(file.parent, "-m", "queue_server", "project", "apply", str(file))


def test_strategy_that_no_package_brings_is_refused(file: Path) -> None:
    done = apply(file)
    assert done.returncode == 1
    assert "rules.0.strategy: must be one of" in done.stderr


def test_project_takes_a_rule_of_another_packages_strategy(file: Path) -> None:
    install(file.parent, "long_name = long_names:STRATEGY")
    done = apply(file)
    assert done.returncode == 0, done.stderr
    shown = run(file.parent, "-m", "queue_server", "project", "show", "pill-counter")
    assert "longer_than" in shown.stdout


def test_parameter_of_another_packages_strategy_is_checked(file: Path) -> None:
    install(file.parent, "long_name = long_names:STRATEGY")
    file.write_text(PROJECT.replace("longer_than: 3", "longer_than: -3"))
    assert "rules.0.longer_than: must be from 0 to 200, got -3" in apply(file).stderr


def test_decision_uses_another_packages_strategy(file: Path) -> None:
    install(file.parent, "long_name = long_names:STRATEGY")
    told = run(file.parent, "-c", DECIDE, str(file)).stdout.splitlines()
    assert told == [
        "archived not_sampled {'length': 2, 'longer_than': 3.0}",
        "queued long_name {'length': 9, 'longer_than': 3.0}",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("empty = long_names:STRATEGY", "long_names:STRATEGY must have a name of its own, 'empty' is taken"),
        ("long_name = long_names:NO_STRATEGY", "long_names:NO_STRATEGY must be a Strategy, got function"),
        ("long_name = long_names:ABSENT", "long_names:ABSENT must be there to import, got "),
        ("long_name = absent_module:ABSENT", "absent_module:ABSENT must be there to import, got "),
    ],
)
def test_plug_in_that_is_wrong_is_refused_with_its_name(file: Path, entry: str, message: str) -> None:
    install(file.parent, entry)
    done = apply(file)
    assert done.returncode == 1
    assert f"lookswrong.strategies: {message}" in done.stderr
    assert "Traceback" not in done.stderr
