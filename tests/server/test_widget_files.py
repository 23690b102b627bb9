"""The button's files: found in a checkout and in a wheel, cached as long as they hold, open to every page."""

from importlib.metadata import version
from pathlib import Path

import pytest

from queue_server.api import widgets
from tests.server.conftest import Server

VERSION = version("lookswrong")
FILES = sorted(
    path.relative_to(widgets.FOLDER).as_posix()
    for path in widgets.FOLDER.rglob("*")
    if path.suffix in (".js", ".ts", ".json", ".html", ".css")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of each kind in place of the real one."""
    (tmp_path / "locales").mkdir()
    for name in ("a.js", "a.min.js", "a.d.ts", "a.json", "demo.html", "a.css", "locales/de.js", "README.md", ".a.js"):
        (tmp_path / name).write_text("x")
    (tmp_path.parent / "outside.js").write_text("x")
    monkeypatch.setattr(widgets, "FOLDER", tmp_path)
    return tmp_path


def test_button_is_in_the_checkout() -> None:
    assert (widgets.FOLDER / "looks-wrong.js").is_file()


def test_button_is_found_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    package = tmp_path / "queue_server"
    assert widgets.folder_of(package) == tmp_path / "widgets"
    (package / "widgets").mkdir(parents=True)
    assert widgets.folder_of(package) == package / "widgets"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("prefix", ["", f"{VERSION}/"])
def test_every_file_of_the_button_is_served_as_it_is(server: Server, name: str, prefix: str) -> None:
    found = server.open.get(f"/widgets/{prefix}{name}")
    assert (found.status_code, found.content) == (200, (widgets.FOLDER / name).read_bytes())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.min.js", "text/javascript; charset=utf-8"),
        ("locales/de.js", "text/javascript; charset=utf-8"),
        ("a.d.ts", "text/plain; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.css", "text/css; charset=utf-8"),
        ("demo.html", "text/html; charset=utf-8"),
        ("demo", "text/html; charset=utf-8"),
    ],
)
def test_file_has_the_right_type_and_is_open_to_every_page(server: Server, name: str, media_type: str) -> None:
    headers = server.open.get(f"/widgets/{name}").raise_for_status().headers
    assert headers["Content-Type"] == media_type
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("path", "caching"),
    [
        ("a.js", "public, max-age=300"),
        (f"{VERSION}/a.js", "public, max-age=31536000, immutable"),
        (f"{VERSION}/locales/de.js", "public, max-age=31536000, immutable"),
        ("demo", "public, max-age=300"),
    ],
)
def test_file_is_kept_as_long_as_it_holds(server: Server, path: str, caching: str) -> None:
    first = server.open.get(f"/widgets/{path}")
    assert first.headers["Cache-Control"] == caching
    again = server.open.get(f"/widgets/{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Access-Control-Allow-Origin"] == "*"


def test_changed_file_is_sent_anew(server: Server, folder: Path) -> None:
    first = server.open.get("/widgets/a.js")
    (folder / "a.js").write_text("other")
    again = server.open.get("/widgets/a.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.text) == (200, "other")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "path",
    [
        "b.js",
        "0.0.0/a.js",
        f"{VERSION}/",
        f"{VERSION}/b.js",
        f"{VERSION}/{VERSION}/a.js",
        "README.md",
        "locales",
        "locales/",
        "../outside.js",
        "%2e%2e/outside.js",
        "locales/%2e%2e/%2e%2e/outside.js",
        "a.js%00",
        "a.js/",
    ],
)
def test_anything_else_is_not_there(server: Server, path: str) -> None:
    assert server.open.get(f"/widgets/{path}").status_code == 404


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("path", ["demo", "demo.html", f"{VERSION}/demo.html"])
def test_demo_is_closed_against_all_but_its_own_files(server: Server, path: str) -> None:
    policy = dict(
        part.split(" ", 1)
        for part in server.open.get(f"/widgets/{path}").headers["Content-Security-Policy"].split("; ")
    )
    assert (
        policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["trusted-types"] == "'none'"
    )
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
