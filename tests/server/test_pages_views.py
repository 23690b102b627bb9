"""The pages of a sample, the policy, the model, slices, drift and alerts: what they show and what a person does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser

from queue_server.alerting import look_at_alerts
from queue_server.backend import Backend
from queue_server.reports import snapshots
from tests.server.conftest import PROJECT, Server, jpeg, prediction, run_server, sample
from tests.server.pages import Person
from tests.server.test_pages import Shown, shown

ALERTS = "alerts:\n  - {name: long-queue, figure: queue.backlog, above: 0}\n"
EMPTY = {
    "/policy": "Not measured yet",
    "/models": "Not measured yet",
    "/slices": "Not measured yet",
    "/drift": "Not measured yet",
    "/alerts": "The project's file has no alerts.",
}
PATHS = ("/", "/queue?filtered=1", "/policy", "/models", "/slices", "/drift", "/alerts", "/docs")
BOX = {"action": "add", "label": "pill", "x_min": 20.0, "y_min": 9.0, "x_max": 30.0, "y_max": 19.0}


@pytest.fixture
def filled(sqlite_backend: Backend) -> Iterator[Server]:
    """A server with a corrected sample, a slice, an alert that fires, and all figures made."""
    for server in run_server(sqlite_backend, project_text=PROJECT + ALERTS):
        value = sample(prediction(0.9, 0.8), tags=["night"], metadata={"site": "north"})
        server.post(value, jpeg(320, 240)).raise_for_status()
        server.say(value.id, "corrected", correction={"boxes": [BOX]}, reporter="anna", comment="one is missing")
        server.admin.put("/v1/slices/night-shift", json={"where": "tags has 'night'"}).raise_for_status()
        look_at_alerts(server.backend, server.project, now=datetime.now(UTC))
        snapshots.make_due(server.backend, every=timedelta(seconds=60))
        yield server


def sample_path(server: Server) -> str:
    return f"/samples/{server.read.get('/v1/samples').json()['samples'][0]['id']}"


def send(server: Server, page: str, path: str, **values: str) -> httpx.Response:
    """Post a form of a page."""
    elements = Shown(server.admin.get(page).raise_for_status()).elements
    token = next(str(found["value"]) for _, found in elements if found.get("name") == "csrf_token")
    return server.admin.post(path, data={"csrf_token": token, **values})


# Looks.


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_and_the_browser_find_nothing_on_any_page(filled: Server, browser: Browser, scheme: str) -> None:
    with Person(browser, filled, scheme=scheme) as person:
        for path in (*PATHS[:-1], sample_path(filled)):  # the API's page is as large as all others together
            for width in (380, 1280):
                person.page.set_viewport_size({"width": width, "height": 800})
                person.open(path)
                assert (path, width, person.faults()) == (path, width, [])


def test_pages_are_polite_where_nothing_is_known(server: Server) -> None:
    for path, words in EMPTY.items():
        assert words in shown(server, path).text
    snapshots.make_due(server.backend, every=timedelta(seconds=60))
    for path in EMPTY:
        assert "Not measured yet" not in shown(server, path).text


def test_every_page_is_in_the_navigation_and_marked_there(filled: Server) -> None:
    links = [found for tag, found in shown(filled).elements if tag == "a" and found.get("href", "").count("/") == 1]
    names = {str(found["href"]) for found in links}
    assert {"/", "/queue", "/models", "/slices", "/drift", "/alerts", "/policy", "/docs"} <= names
    (here,) = [found for tag, found in shown(filled, "/drift").elements if "aria-current" in found]
    assert here["href"] == "/drift"


def test_pages_work_without_scripts(filled: Server, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_extra_http_headers({"Authorization": filled.admin.headers["Authorization"]})
    page = context.new_page()
    for path in PATHS:
        page.goto(f"{filled.url}{path}")
        assert page.locator("h1").is_visible()
    context.close()


# A sample.


def test_sample_page_tells_all_of_it(filled: Server) -> None:
    text = shown(filled, sample_path(filled)).text
    for words in ("Model: 2 objects", "User: corrected: 3 objects", "one is missing", "anna", "north", "brightness"):
        assert words in " ".join(text.split())
    assert "user_rejected" in text


def test_unknown_sample_is_404(server: Server) -> None:
    answer = server.admin.get(f"/samples/{uuid4()}")
    assert (answer.status_code, "There is no such thing" in answer.text) == (404, True)


def test_layers_are_switched_off_one_by_one(filled: Server, browser: Browser) -> None:
    with Person(browser, filled) as person:
        page = person.open(sample_path(filled))
        drawn = page.locator(".picture .user")
        assert drawn.is_visible()
        page.get_by_role("checkbox", name="user").uncheck()
        assert not drawn.is_visible()
        assert page.locator(".picture .model").is_visible()


def test_sample_is_sent_from_its_page(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    path = f"/samples/{value.id}"
    assert send(server, path, f"{path}/request", reason="odd").headers["Location"] == f"{path}?requested=1"
    assert server.sample(value.id)["state"] == "queued"


# The policy.


def test_policy_page_tells_what_each_rule_brought(filled: Server) -> None:
    page = shown(filled, "/policy")
    assert page.row("user_rejected")[2:4] == ["1", "0"]
    assert "confirmation_window: 86400s" in page.text


def test_policy_as_it_is_shown_is_a_policy_and_changes_nothing(filled: Server) -> None:
    elements = filled.admin.get("/policy").text.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0]
    answer = send(filled, "/policy", "/policy", policy=elements.replace("&#39;", "'").replace("&gt;", ">"))
    assert answer.status_code == 200
    assert "Its rules are those of the current policy." in answer.text
    assert filled.admin.get("/policy").text.count("Version 1;") == 1


def test_another_policy_is_tried_beside_the_current_one(filled: Server) -> None:
    answer = send(filled, "/policy", "/policy", policy="rules: [{strategy: random, rate: 1.0}]")
    row = Shown(answer).row("Queued")
    assert row[1:] == ["1", "1"]
    assert [row[1:] for row in Shown(answer).rows if row and row[0].startswith("by")] == [["1", "0"], ["0", "1"]]


@pytest.mark.parametrize(
    ("typed", "words"),
    [("rules: [{strategy: guess}]", "strategy"), ("rules: [", "YAML"), ("", "must")],
)
def test_policy_that_is_wrong_is_refused_with_its_faults(server: Server, typed: str, words: str) -> None:
    answer = send(server, "/policy", "/policy", policy=typed)
    assert answer.status_code == 422
    assert words in answer.text.partition('role="alert"')[2].partition("</div>")[0]


# The model.


def test_model_page_shows_the_card_and_hands_it_out(filled: Server) -> None:
    assert "pill-counter: v1" in shown(filled, "/models").text
    files = {kind: filled.admin.get(f"/models/v1/card.{kind}").raise_for_status() for kind in ("html", "md")}
    assert files["md"].text.startswith("# pill-counter: v1")
    assert files["html"].text.startswith("<!doctype html>")
    assert "attachment" in files["html"].headers["Content-Disposition"]


@pytest.mark.parametrize("path", ["/models/v9", "/models/v9/card.md", "/models/v1/card.pdf"])
def test_card_that_there_is_not_is_404(filled: Server, path: str) -> None:
    assert filled.admin.get(path).status_code == 404


# Slices.


def test_slice_is_kept_and_removed(server: Server) -> None:
    where = "metadata.site == 'north'"
    assert send(server, "/slices", "/slices", name="north", where=where).status_code == 303
    assert shown(server, "/slices").row("north")[1] == where
    assert send(server, "/slices", "/slices/north/remove").status_code == 303
    assert server.read.get("/v1/slices").json() == {"slices": []}


def test_slice_that_is_wrong_is_refused_and_what_was_typed_stays(server: Server) -> None:
    answer = send(server, "/slices", "/slices", name="Night Shift", where="colour == 'red'")
    assert answer.status_code == 422
    assert 'value="Night Shift"' in answer.text
    assert server.read.get("/v1/slices").json() == {"slices": []}


# Alerts.


def status(server: Server) -> str:
    return str(server.read.get("/v1/alerts").json()["alerts"][0]["status"])


def test_firing_alert_is_told_on_the_first_page(filled: Server) -> None:
    page = shown(filled)
    assert "An alert is firing:" in page.text
    assert "/alerts#long-queue" in page.links


@pytest.mark.parametrize(
    ("action", "becomes"), [("acknowledge", "acknowledged"), ("snooze", "snoozed"), ("disable", "disabled")]
)
def test_person_deals_with_an_alert(filled: Server, action: str, becomes: str) -> None:
    answer = send(filled, "/alerts", "/alerts/long-queue", action=action, hours="8", note="known")
    assert answer.headers["Location"] == "/alerts#long-queue"
    assert status(filled) == becomes
    assert "known" in shown(filled, "/alerts").text


@pytest.mark.parametrize(("name", "action", "code"), [("none", "snooze", 404), ("long-queue", "dance", 422)])
def test_order_that_cannot_be_is_refused(filled: Server, name: str, action: str, code: int) -> None:
    assert send(filled, "/alerts", f"/alerts/{name}", action=action).status_code == code
    assert status(filled) == "firing"


@pytest.mark.parametrize("path", ["/policy", "/slices", "/slices/night-shift/remove", "/alerts/long-queue"])
def test_form_without_a_token_changes_nothing(filled: Server, path: str) -> None:
    assert filled.admin.post(path, data={"action": "disable", "name": "x"}).status_code == 403
    assert status(filled) == "firing"
    assert len(filled.read.get("/v1/slices").json()["slices"]) == 1
