"""Make what this checkout needs to run, once; a later run only looks and is done in a moment.

    setup.py app             .venv: the project with all it needs to run, to be demonstrated and to be tested
    setup.py label-studio    .venv-label-studio: Label Studio, and an initialised data directory that starts in seconds
    setup.py services        PostgreSQL, Redis and Chromium for the tests, where they are not there yet
    setup.py browsers        Firefox and WebKit, in which the button is tested too (only if asked)
    setup.py adapters        .venv-adapters: the packages whose results the SDK's adapters read (some GB, only if asked)
    setup.py lock            the lock files; delete one first to raise every version in it

Standard library only. Progress goes to standard error; the exit code is 0, or 1 with what is wrong and its remedy.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # an old interpreter is what this line is for
    sys.exit("Python must be 3.11 or newer, got {}.{}: run this with python3.11 or later".format(*sys.version_info))

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
sys.path.insert(0, str(ROOT))

from queue_server import local_label_studio  # noqa: E402  # found only after the line above
from queue_server.errors import ProcessError  # noqa: E402
from scripts import services  # noqa: E402

APP = ROOT / ".venv"
LABEL_STUDIO = ROOT / ".venv-label-studio"
ADAPTERS = ROOT / ".venv-adapters"
REQUIREMENTS = ROOT / "requirements"
_STAMP = "lookswrong-stamp"
#: uv does not read pip's settings; whoever reaches an index through these needs it there too
_PIP_TO_UV = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_CERT": "SSL_CERT_FILE"}


class SetupError(Exception):
    """Something could not be made; the message says the remedy."""


def set_up_app() -> None:
    """Make `.venv`: all locked packages, then the project itself, editable."""
    wanted = _digest(REQUIREMENTS / "dev.lock", ROOT / "pyproject.toml")
    if _is_current(APP, wanted):
        _say("app environment: there already")
        return
    with _step("app environment"):
        uv = _sync(APP, lock=REQUIREMENTS / "dev.lock")
        # its build backend is in the lock file too, so nothing is fetched that is not pinned
        _run(uv, "pip", "install", "--python", _python(APP), "--no-deps", "--no-build-isolation", "--editable", ROOT)
        _write_stamp(APP, wanted)


def set_up_label_studio() -> None:
    """Make `.venv-label-studio` and the template of a data directory."""
    wanted = _digest(REQUIREMENTS / "label-studio.lock")
    if not _is_current(LABEL_STUDIO, wanted):
        with _step("Label Studio environment"):
            _sync(LABEL_STUDIO, lock=REQUIREMENTS / "label-studio.lock")
            _write_stamp(LABEL_STUDIO, wanted)
    template = LABEL_STUDIO / "template-data"
    if local_label_studio.is_template_for(template, key=wanted):
        _say("Label Studio: there already")
        return
    with _step("Label Studio's first start (its migrations take about a minute)"):
        os.environ[local_label_studio.COMMAND_VARIABLE] = str(LABEL_STUDIO / "bin" / "label-studio")
        local_label_studio.make_template(template, key=wanted)


def set_up_services() -> None:
    """Get what is missing of the servers and the browser; one that cannot be had only costs the tests that use it."""
    attempts = (
        _is_there("PostgreSQL", services.find_postgresql, _install_postgresql),
        _is_there("Redis", services.find_redis, lambda: _apt_install("redis-server")),
        _is_there("Chromium", services.find_chromium, lambda: _apt_install("chromium")),
    )
    if not all(attempts) and os.environ.get("CI") == "true":
        raise SetupError("in CI (CI=true) every service must be there, see above")


def set_up_browsers() -> None:
    """Get Firefox and WebKit; unlike Chromium they may be missing in CI too."""
    _is_there("Firefox", services.find_firefox, lambda: _apt_install("firefox-esr"))
    _is_there("WebKit", services.find_webkit, lambda: _apt_install("webkit2gtk-driver", "xvfb"))


def set_up_adapters() -> None:
    """Make `.venv-adapters`."""
    wanted = _digest(REQUIREMENTS / "adapters.in")
    if _is_current(ADAPTERS, wanted):
        _say("adapters environment: there already")
        return
    with _step("adapters environment (some GB)"):
        _run(sys.executable, "-m", "venv", "--clear", ADAPTERS)
        pip = (_python(ADAPTERS), "-m", "pip", "install", "--quiet")
        _run(*pip, "--requirement", REQUIREMENTS / "adapters.in")
        # what these two ask for would replace torch, or bring a second OpenCV
        _run(*pip, "--no-deps", "torchvision==0.28.0", "ultralytics")
        _write_stamp(ADAPTERS, wanted)


def make_locks() -> None:
    """Make the lock files again; versions that still fit stay."""
    uv = _find_uv()
    app = ("pyproject.toml", "--extra", "server", "--extra", "demo", "--group", "dev")
    _lock(uv, "dev.lock", *app)
    _lock(uv, "label-studio.lock", "requirements/label-studio.in")
    _lock(uv, "services.lock", "requirements/services.in", "--constraints", "requirements/dev.lock")


STEPS: dict[str, Callable[[], None]] = {
    "app": set_up_app,
    "label-studio": set_up_label_studio,
    "services": set_up_services,
    "browsers": set_up_browsers,
    "adapters": set_up_adapters,
    "lock": make_locks,
}


def main() -> int:
    """Run the named steps in order and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="+", choices=STEPS, metavar="STEP", help=", ".join(STEPS))
    names = parser.parse_args().steps
    try:
        with _one_at_a_time():
            for name in names:
                STEPS[name]()
    except (SetupError, ProcessError) as error:
        _say(f"set-up failed: {error}")
        return 1
    return 0


# ---- Python environments


def _sync(environment: Path, *, lock: Path) -> str:
    """Make the environment hold exactly what the lock file names, and return uv's path."""
    uv = _find_uv()
    if not _works(environment):
        _run(uv, "venv", "--clear", "--python", sys.executable, environment)
        uv = _find_uv()  # it may have lived in there
    _run(uv, "pip", "sync", "--python", _python(environment), "--require-hashes", lock)
    return uv


def _find_uv() -> str:
    """Return uv: from the path, from `.venv`, else installed into `.venv` with pip."""
    for candidate in (shutil.which("uv"), str(APP / "bin" / "uv")):
        if candidate and _succeeds(candidate, "--version"):
            return candidate
    with _step("uv (none was on the path)"):
        return _bootstrap_uv()


def _bootstrap_uv() -> str:
    _require_venv_module()
    _run(sys.executable, "-m", "venv", "--clear", APP)
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "uv.txt"
        pinned.write_text(_locked("uv"))
        _run(_python(APP), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", pinned)
    return str(APP / "bin" / "uv")


def _locked(name: str) -> str:
    """Return one package's lines of dev.lock: its version and hashes."""
    lines = (REQUIREMENTS / "dev.lock").read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = next((i for i in range(start + 1, len(lines)) if not lines[i].startswith(" ")), len(lines))
    return "\n".join(lines[start:end])


def _require_venv_module() -> None:
    if importlib.util.find_spec("ensurepip") is not None:
        return
    package = "python{}.{}-venv".format(*sys.version_info)
    if not _apt_install(package) and not _apt_install("python3-venv"):
        raise SetupError(
            f"Python's venv module must be complete, but ensurepip is missing: run `sudo apt-get install {package}`, "
            "or install uv, then run this again"
        )


def _works(environment: Path) -> bool:
    """Say whether the environment's Python starts and the checkout was not moved since it was made."""
    stamp = environment / _STAMP
    moved = stamp.exists() and stamp.read_text().splitlines()[1:] != [str(ROOT)]
    return not moved and _succeeds(_python(environment), "-c", "")


def _is_current(environment: Path, digest: str) -> bool:
    stamp = environment / _STAMP
    return stamp.exists() and stamp.read_text().splitlines()[0] == digest and _works(environment)


def _write_stamp(environment: Path, digest: str) -> None:
    (environment / _STAMP).write_text(f"{digest}\n{ROOT}\n")


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _python(environment: Path) -> str:
    return str(environment / "bin" / "python")


def _lock(uv: str, name: str, *sources: str) -> None:
    with _step(f"requirements/{name}"):
        style = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate")
        _run(uv, "pip", "compile", *style, *sources, "--output-file", f"requirements/{name}", quiet=True)


# ---- services


def _is_there(name: str, find: Callable[[], Path | None], install: Callable[[], bool]) -> bool:
    """Find the service, or install it; say where it is, or how to get it."""
    found = find()
    if found is None and install():
        found = find()
    _say(f"{name}: {found}" if found else f"{name}: not on this machine, its tests will be skipped; {_remedy(name)}")
    return found is not None


def _remedy(name: str) -> str:
    remedies = {
        "PostgreSQL": "install it (`sudo apt-get install postgresql`, `brew install postgresql@17`)",
        "Redis": "run `python3 scripts/setup.py app` first, which brings one",
        "Chromium": "install Chromium or Chrome, or run `.venv/bin/playwright install chromium`",
        "Firefox": "install it (`sudo apt-get install firefox-esr`, `brew install --cask firefox`)",
        "WebKit": "on Debian or Ubuntu run `sudo apt-get install webkit2gtk-driver xvfb`",
    }
    return remedies[name]


def _install_postgresql() -> bool:
    """Install the distribution's as root; else a wheel's, which must not run as root."""
    if os.geteuid() == 0:
        return _apt_install("postgresql")
    if not _works(APP):
        return False
    with _step("PostgreSQL from a wheel"):
        locked = ("--require-hashes", "--requirement", REQUIREMENTS / "services.lock")
        return _succeeds(_find_uv(), "pip", "install", "--python", _python(APP), *locked)


def _apt_install(*packages: str) -> bool:
    """Install Debian packages; False where that is not possible."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ("apt-get", "install", "--yes", "--no-install-recommends", *packages)
    with _step(f"apt-get install {' '.join(packages)}"):
        if _succeeds(*command, environment=environment):
            return True
        return _succeeds("apt-get", "update", environment=environment) and _succeeds(*command, environment=environment)


# ---- running and telling


def _run(*command: str | Path, quiet: bool = False) -> None:
    """Run a command in the checkout; SetupError if it fails."""
    if _is_uv(command) and (quiet or not sys.stderr.isatty()):
        command = (*command, "--quiet")
    ended = subprocess.run(command, cwd=ROOT, env=_uv_environment(), stdout=sys.stderr, check=False)
    if ended.returncode != 0:
        shown = " ".join(str(part) for part in command)
        raise SetupError(
            f"this must succeed, but ended with code {ended.returncode} (its message is above): {shown}\n"
            "If it could not reach the package index: check the network, name your mirror in UV_DEFAULT_INDEX, or set "
            "UV_SYSTEM_CERTS=true where a proxy has a certificate of its own."
        )


def _is_uv(command: tuple[str | Path, ...]) -> bool:
    return Path(command[0]).name == "uv"


def _succeeds(*command: str | Path, environment: dict[str, str] | None = None) -> bool:
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=environment or _uv_environment(), capture_output=True, check=False
        )
    except OSError:
        return False
    return ended.returncode == 0


def _uv_environment() -> dict[str, str]:
    named = {theirs: os.environ[ours] for ours, theirs in _PIP_TO_UV.items() if os.environ.get(ours)}
    return named | os.environ


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let a second set-up of the same checkout wait for the first."""
    folder = os.open(REQUIREMENTS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _step(name: str) -> Iterator[None]:
    _say(f"{name} …")
    started = time.monotonic()
    yield
    _say(f"{name}: {time.monotonic() - started:.1f} s")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
