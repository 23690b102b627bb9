"""What holds the project together: the commands, the lock files, the wheel, the size of modules."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from queue_server.settings import Settings

ROOT = Path(__file__).parents[1]
PACKAGES = ("feedback_sdk", "queue_server", "examples", "scripts", "benchmarks")
CODE = sorted(file for folder in PACKAGES for file in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: The SDK's boundary (calls from the app, calls of what the app gave, the thread that sends), the worker's job, the
#: image decoders and the boundary to metrics of the user's own may catch whatever comes; a benchmark measures what its
#: libraries raise.
BROAD_EXCEPTS = {
    "benchmarks/client_sdks/child_captures.py",
    "benchmarks/client_sdks/child_timing.py",
    "feedback_sdk/client.py",
    "feedback_sdk/preparation/before_send.py",
    "feedback_sdk/preparation/photos.py",
    "feedback_sdk/refusals.py",
    "feedback_sdk/sender/sender.py",
    "queue_server/images.py",
    "queue_server/metrics/asking.py",
    "queue_server/worker.py",
}


def shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).split(".")[0])
    return names


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its signature and docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0


def has_broad_except(file: Path) -> bool:
    handlers = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ExceptHandler))
    return any(handler.type is None or getattr(handler.type, "id", "") == "Exception" for handler in handlers)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as from a shell, also when the tests themselves were started by make."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_ci_runs_the_two_commands_that_a_person_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"^make .*$", script, re.MULTILINE) == ["make check", "make test"]
    assert "set -euo pipefail" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("command", ["make demo", "make test", "make check"])
def test_readme_names_the_commands(command: str) -> None:
    assert command in (ROOT / "README.md").read_text()


def test_make_alone_lists_the_commands() -> None:
    names = re.findall(r"^  make (\w+) ", make().stdout, re.MULTILINE)
    assert {"demo", "test", "check", "lock", "format", "clean"} <= set(names)


@pytest.mark.parametrize("command", ["demo", "test"])
def test_make_hands_arguments_on(command: str) -> None:
    planned = make("-n", command, "ARGS=--one --two=3")
    assert planned.stdout.rstrip().endswith("--one --two=3")


def test_make_says_plainly_that_python_is_missing() -> None:
    failed = make("test", "PYTHON=")
    assert failed.returncode != 0
    assert "Python 3.11 or newer must be on the path, found none" in failed.stderr


def test_changelog_has_the_version_of_the_project() -> None:
    assert f"## [{PROJECT['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=shown)
def test_lock_file_names_no_host_and_hashes_every_package(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    packages = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
    assert len(packages) > 3


def test_lock_file_holds_every_named_dependency() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    named = [*extras["server"], *extras["demo"], *PROJECT["dependency-groups"]["dev"]]
    names = {re.split(r"[\[<>=~ ]", requirement)[0] for requirement in named}
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements/dev.lock").read_text(), re.MULTILINE))
    assert names - locked == set()


@pytest.mark.parametrize(
    "name",
    [
        "feedback_sdk/py.typed",
        "queue_server/py.typed",
        "queue_server/static/token-vectors.json",
        "queue_server/widgets/README.md",
        "queue_server/widgets/looks-wrong.js",
    ],
)
def test_wheel_holds(wheel: Path, name: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert name in archive.namelist()


def test_wheel_holds_nothing_else_than_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" not in name}
    assert tops == {"feedback_sdk", "queue_server"}


def test_app_takes_on_no_dependency(metadata: Message) -> None:
    required = metadata.get_all("Requires-Dist", [])
    assert [requirement for requirement in required if "extra ==" not in requirement] == []
    assert {"server", "demo"} <= set(metadata.get_all("Provides-Extra", []))


def test_sdk_of_the_wheel_runs_with_the_standard_library_alone(wheel: Path, tmp_path: Path) -> None:
    program = "import feedback_sdk, sys; print(feedback_sdk.__file__); print(feedback_sdk.FeedbackClient.__name__)"
    run = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == [f"{wheel}/feedback_sdk/__init__.py", "FeedbackClient"], run.stderr


@pytest.mark.parametrize("file", sorted((ROOT / "feedback_sdk").rglob("*.py")), ids=shown)
def test_sdk_imports_the_standard_library_alone(file: Path) -> None:
    # inside functions, for apps that have these: Pillow (the extra `[images]`) reduces images, and two show the button
    others = {"photos.py": {"PIL"}, "gradio.py": {"gradio"}, "streamlit.py": {"streamlit"}}
    assert imported(file) - sys.stdlib_module_names - {"feedback_sdk"} - others.get(file.name, set()) == set()


@pytest.mark.parametrize("name", ["errors", "processes", "local_label_studio"])
def test_set_up_can_import_what_it_needs_before_anything_is_installed(name: str) -> None:
    assert imported(ROOT / "queue_server" / f"{name}.py") - sys.stdlib_module_names - {"queue_server"} == set()
    assert imported(ROOT / "queue_server" / "__init__.py") == set()


@pytest.mark.parametrize("file", [*CODE, *TESTS], ids=shown)
def test_module_has_at_most_400_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize("file", [file for file in CODE if "migrations" not in file.parts], ids=shown)
def test_function_has_at_most_50_lines(file: Path) -> None:
    assert [f"{node.name}: {length(node)}" for node in functions(file) if length(node) > 50] == []


@pytest.mark.parametrize("file", CODE, ids=shown)
def test_broad_except_stands_in_its_three_places_only(file: Path) -> None:
    assert not has_broad_except(file) or shown(file) in BROAD_EXCEPTS


def test_both_packages_say_that_they_are_typed() -> None:
    assert all((ROOT / package / "py.typed").exists() for package in ("feedback_sdk", "queue_server"))


def test_readme_lists_every_setting_and_no_other() -> None:
    listed = set(re.findall(r"^\| `(LOOKSWRONG_\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert listed == {f"LOOKSWRONG_{name.upper()}" for name in Settings.model_fields}


def test_command_of_a_base_install_says_what_to_install() -> None:
    program = "import sys; sys.modules['click'] = None; from queue_server.__main__ import main; main()"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith("pip install 'lookswrong[server]'")
