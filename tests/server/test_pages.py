"""The pages over a real socket: who may see them, what they show, and how a browser shows it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import text

from queue_server.auth import Scope, make_key
from queue_server.backend import open_backend
from queue_server.settings import Settings
from queue_server.store import keys, projects, targets
from queue_server.store.engine import migrate, writing
from tests.server.conftest import NOW, PROJECT, Server, apply_project, jpeg, prediction, run_server, sample

STYLE = Path(__file__).parents[2] / "queue_server/static/pages.css"
#: 127.0.0.1:9 takes no connection: Label Studio is set and away
AWAY = "http://127.0.0.1:9"
#: pages that need no sample
PATHS = ("/", "/queue", "/policy", "/docs")


class Shown(HTMLParser):
    """What a page holds: the text of each table row's cells, ids, links, elements with their attributes."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.is_in_table = False
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        if tag == "tr":
            self.rows.append([])
            self.is_in_table = True
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.is_in_table = self.is_in_table and tag != "table"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.is_in_table and self.rows[-1]:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data}".strip()

    def row(self, name: str) -> list[str]:
        """Return the cells of the one row whose first cell begins with a word."""
        (found,) = [row for row in self.rows if row and row[0].split()[:1] == [name]]
        return found

    def figure(self, name: str) -> int:
        """Return the number of the row of that name."""
        return int(self.row(name)[1].split()[0].replace(",", ""))


def key_of(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def shown(server: Server, path: str = "/") -> Shown:
    return Shown(server.admin.get(path).raise_for_status())


@pytest.fixture
def studio_server(tmp_path: Path) -> Iterator[Server]:
    """A server that knows a Label Studio, which is away."""
    backend = open_backend(Settings(data_dir=tmp_path, secret_key="s" * 32, label_studio_url=f"{AWAY}/"))
    migrate(backend.engine)
    yield from run_server(backend)
    backend.engine.dispose()


def open_page(browser: Browser, server: Server, path: str, *, width: int = 1280) -> tuple[Page, list[str]]:
    """Open a page as a person who typed the key; the list gathers what the browser complains of."""
    credentials = {"username": "anyone", "password": key_of(server.admin)}
    context = browser.new_context(viewport={"width": width, "height": 800}, http_credentials=credentials)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("response", lambda response: complaints.append(response.url) if response.status >= 400 else None)
    page.goto(f"{server.url}{path}")
    return page, complaints


# Who may see them.


@pytest.mark.parametrize("path", PATHS)
def test_page_without_a_key_is_401_and_says_what_to_do(server: Server, path: str) -> None:
    answer = server.open.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="Looks Wrong"')
    assert "lookswrong key create --project P --scope admin" in answer.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("user", ["", "anna", "Zoë"])
def test_key_is_taken_as_the_password_of_any_user(server: Server, path: str, user: str) -> None:
    assert server.open.get(path, auth=(user.encode(), key_of(server.admin).encode())).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_key_is_taken_as_a_bearer(server: Server, path: str) -> None:
    assert server.admin.get(path).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scope", ["ingest", "read"])
def test_key_without_the_scope_is_403_and_says_which_it_has(server: Server, path: str, scope: str) -> None:
    answer = {"ingest": server.ingest, "read": server.read}[scope].get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert f"The key must have the scope admin, it has {scope}." in answer.text
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !",
        "Basic YTpi",
        "Basic YTo=",
        "Bearer",
        "Bearer x",
        "Bearer lw_ab_x",
        "Digest a=b",
        "Bearer é",
    ],
)
def test_what_is_no_key_is_401(server: Server, header: str) -> None:
    answer = server.open.get("/", headers={b"Authorization": header.encode()})
    assert answer.status_code == 401
    assert "This page needs a key" in answer.text


def test_revoked_key_is_401(server: Server) -> None:
    with writing(server.backend.engine) as session:
        row = keys.find(session, key_of(server.admin).split("_")[1])
        row.revoked_at = NOW
        session.add(row)
    answer = server.admin.get("/")
    assert (answer.status_code, "must not be revoked" in answer.text) == (401, True)


def test_key_shows_its_own_project_only(server: Server) -> None:
    server.post(sample(), jpeg())
    other = apply_project(server.backend, PROJECT.replace("pill-counter", "tablet-reader"))
    with writing(server.backend.engine) as session:
        secrets = server.backend.settings.secret_keys
        key = make_key(session, other, scopes=[Scope.ADMIN], secret_keys=secrets, now=NOW)
    page = Shown(server.open.get("/", auth=("", key)))
    assert "tablet-reader" in page.text
    assert "pill-counter" not in page.text
    assert page.figure("awaiting_feedback") == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["admin", "ingest", "open"])
def test_page_is_closed_against_strangers_frames_and_caches(server: Server, path: str, kind: str) -> None:
    headers = getattr(server, kind).get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    own = {"script-src", "style-src", "img-src", "connect-src", "form-action"}
    assert policy == dict.fromkeys(("default-src", "base-uri", "frame-ancestors"), "'none'") | dict.fromkeys(
        own, "'self'"
    )
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


def test_page_says_plainly_that_the_database_is_away(server: Server) -> None:
    with server.backend.engine.begin() as connection:
        connection.execute(text("ALTER TABLE api_key RENAME TO gone"))
    answer = server.admin.get("/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer" in answer.text
    assert "api_key" not in answer.text


# What the overview shows.


def test_overview_says_what_this_is(server: Server) -> None:
    page = shown(server)
    assert "This is Looks Wrong, version 0.1.0" in page.text
    assert "A detection project with the labels pill, capsule; policy version 1." in page.text


def test_overview_tells_the_parts_as_readyz_does(studio_server: Server) -> None:
    page, ready = shown(studio_server), studio_server.open.get("/readyz").json()
    names = {"database": "Database", "blobs": "Images", "broker": "Broker", "label_studio": "Label"}
    assert set(ready["parts"]) == set(names)
    for part, told in ready["parts"].items():
        assert page.row(names[part])[1:] == [told["status"], told["detail"]]


def test_overview_counts_samples_by_state_reason_and_model_version(each_server: Server) -> None:
    values = [sample(prediction(0.9, model_version=f"v{index % 2}")) for index in range(3)]
    for value in [*values, sample()]:
        each_server.post(value, jpeg())
    each_server.say(values[0].id, "rejected")
    each_server.say(values[1].id, "confirmed")
    page = shown(each_server)
    figures = {name: page.figure(name) for name in ("awaiting_feedback", "queued", "archived", "v0", "v1")}
    assert figures == {"awaiting_feedback": 2, "queued": 1, "archived": 1, "v0": 2, "v1": 2}
    assert page.figure("user_rejected") == page.figure("rejected") == 1
    assert page.figure("corrected") == page.figure("pushed") == 0


def test_sample_without_a_prediction_is_counted_under_no_model_version(server: Server) -> None:
    server.post(sample(prediction=None), jpeg())
    assert shown(server).figure("no") == 1


def test_overview_links_to_the_inbox_in_label_studio(studio_server: Server) -> None:
    with writing(studio_server.backend.engine) as session:
        project = projects.get(session, studio_server.project.id)
        target = targets.ensure(session, project, project.label_studio_title, now=NOW)
        targets.record(session, target, label_studio_project_id=7, view_id=3, tabs={}, controls={})
    assert f"{AWAY}/projects/7/data?tab=3" in shown(studio_server).links


def test_overview_says_that_the_project_is_not_in_label_studio_yet(studio_server: Server) -> None:
    page = shown(studio_server)
    assert "The project is not in Label Studio yet" in page.text
    assert not [link for link in page.links if "9/projects" in link]


def test_overview_says_which_settings_bring_label_studio(server: Server) -> None:
    page = shown(server)
    assert "LOOKSWRONG_LABEL_STUDIO_API_KEY" in page.text
    assert "Nothing waits for an annotator." in page.text


def test_text_of_users_is_escaped(server: Server) -> None:
    server.post(sample(prediction(0.9, model_version="<script>alert(1)</script>")), jpeg())
    answer = server.admin.get("/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    assert all(found.keys() == {"src", "defer"} for tag, found in Shown(answer).elements if tag == "script")


def test_first_sample_is_explained_until_there_is_one(server: Server) -> None:
    assert "Post the first sample" in shown(server).text
    server.post(sample(), jpeg())
    assert "Post the first sample" not in shown(server).text


def test_lines_for_the_first_sample_post_it(server: Server, browser: Browser, tmp_path: Path) -> None:
    page, _ = open_page(browser, server, "/")
    program = page.locator("#first-sample").inner_text()
    page.context.close()
    assert len(program.splitlines()) == 3
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    environment = {"LOOKSWRONG_API_KEY": server.ingest_key, "LOOKSWRONG_SPOOL_DIR": str(tmp_path / "spool")}
    packages = {"PYTHONPATH": os.fspath(Path(__file__).parents[2])}
    command = [sys.executable, "-c", program.replace("http://127.0.0.1:8500", server.url)]
    subprocess.run(command, cwd=tmp_path, env=environment | packages, check=True, timeout=60)
    assert shown(server).figure("v1") == 1


@pytest.mark.parametrize("path", PATHS)
def test_page_holds_no_key(server: Server, path: str) -> None:
    assert not re.search(r"lw_[0-9a-f]{8}_", server.admin.get(path).text)


# What the description of the API shows.


def test_docs_show_every_call_of_the_openapi_document(server: Server) -> None:
    page, document = shown(server, "/docs"), server.open.get("/openapi.json").json()
    calls = {call["operationId"] for methods in document["paths"].values() for call in methods.values()}
    assert calls <= set(page.ids)
    assert {f"#{call}" for call in calls} <= set(page.links)


def test_docs_show_every_type_of_the_openapi_document(server: Server) -> None:
    page, document = shown(server, "/docs"), server.open.get("/openapi.json").json()
    assert {f"type-{name}" for name in document["components"]["schemas"]} <= set(page.ids)


@pytest.mark.parametrize("path", PATHS)
def test_every_link_within_a_page_leads_somewhere(server: Server, path: str) -> None:
    page = shown(server, path)
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for link in {link for link in page.links if link.startswith("/")}:
        assert server.admin.get(link).status_code == 200


@pytest.mark.parametrize("words", ["Needs a key with scope ingest.", "Try again", "409", "Retry-After", "207"])
def test_docs_say_scopes_and_the_rules_of_sending_again(server: Server, words: str) -> None:
    assert words in shown(server, "/docs").text


# How they are made and look.


@pytest.mark.parametrize("path", PATHS)
def test_page_has_landmarks_and_scoped_headers_and_nothing_inline(server: Server, path: str) -> None:
    elements = shown(server, path).elements
    tags = [tag for tag, _ in elements]
    assert {tag: tags.count(tag) for tag in ("header", "main", "footer", "h1")} == dict.fromkeys(
        ("header", "main", "footer", "h1"), 1
    )
    assert all(found.get("scope") in ("col", "row") for tag, found in elements if tag == "th")
    assert not {"style", "iframe"} & set(tags)
    assert all(str(found.get("src")).startswith("/static/") for tag, found in elements if tag == "script")
    assert not [found for _, found in elements if "style" in found or any(name.startswith("on") for name in found)]


@pytest.mark.parametrize("path", PATHS)
def test_page_fits_the_screen_and_the_browser_has_no_complaint(server: Server, browser: Browser, path: str) -> None:
    server.post(sample(prediction(0.9, model_version="a-version-with-a-very-long-name-" * 6)), jpeg())
    page, complaints = open_page(browser, server, path)
    for width in (320, 380, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("getComputedStyle(document.querySelector('header')).borderBottomStyle") == "solid"
    page.context.close()
    assert [said for said in complaints if "401" not in said and said != f"{server.url}{path}"] == []


def test_tables_stay_tables_on_a_narrow_screen(server: Server, browser: Browser) -> None:
    page, _ = open_page(browser, server, "/", width=380)
    parts = page.get_by_role("table", name="Parts of this server")
    assert parts.get_by_role("row").count() == 5
    assert parts.get_by_role("rowheader").all_inner_texts() == ["Database", "Images", "Broker", "Label Studio"]
    page.context.close()


def test_keyboard_reaches_the_content_first_and_focus_is_seen(server: Server, browser: Browser) -> None:
    page, _ = open_page(browser, server, "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.context.close()


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [(name, ground) for name in ("text", "soft", "accent", "link") for ground in ("ground", "raised")]
    + [(name, f"{name}-ground") for name in ("ok", "degraded", "down")]
    + [("text", "degraded-ground")],
)
def test_text_has_the_contrast_of_wcag_aa(scheme: int, front: str, back: str) -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[scheme]))
    high, low = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.mark.parametrize("name", ["pages.css", "figures.css", "pages.js", "icon.svg"])
def test_style_and_icon_come_without_a_key_and_load_nothing_else(server: Server, name: str) -> None:
    answer = server.open.get(f"/static/{name}")
    assert answer.status_code == 200
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", answer.text)
