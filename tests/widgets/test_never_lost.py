"""Whatever the network, the server or the user does: each answer comes, and counts once."""

import json
import time

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.conftest import Visit, until
from tests.widgets.site import OTHER_SAMPLE, SAMPLE, Site, element

DENY_STORAGE = (
    "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied', 'SecurityError') }})"
)
NULL_STORAGE = "Object.defineProperty(window, 'localStorage', {value: null})"
FULL_STORAGE = "Storage.prototype.setItem = function () { throw new DOMException('full', 'QuotaExceededError') }"
RETURN = "dispatchEvent(new Event('pageshow'))"


def tap(page: Page, name: str = "Looks wrong") -> None:
    page.get_by_role("button", name=name).first.click()


def waiting(page: Page) -> list[dict]:
    texts = page.evaluate(
        "Object.entries(localStorage).filter(([key]) => key.includes(':answer:')).map((item) => item[1])"
    )
    return [json.loads(text) for text in texts]


def age(page: Page, *, milliseconds: int) -> None:
    """Let time pass for what waits, as if the device had been off."""
    page.evaluate(
        """(milliseconds) => { for (const [key, text] of Object.entries(localStorage)) {
          const item = JSON.parse(text); item.at -= milliseconds; if (item.next) item.next -= milliseconds;
          localStorage[key] = JSON.stringify(item); } }""",
        milliseconds,
    )


@pytest.mark.parametrize("attempt", range(3))
def test_a_page_closed_in_the_same_moment_has_sent_it(visit: Visit, site: Site, attempt: int) -> None:
    page = visit.open(element())
    page.evaluate("document.querySelector('looks-wrong').shadowRoot.querySelector('[part~=wrong]').click()")
    page.close(run_before_unload=False)
    until(lambda: site.verdicts == ["rejected"])


def test_a_user_who_leaves_in_the_same_moment_has_sent_it(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    site.add_page("/next", element(sample=OTHER_SAMPLE))
    page.evaluate("""() => { document.querySelector("looks-wrong").submit("rejected"); location.href = "/next"; }""")
    page.wait_for_url("**/next")
    until(lambda: site.verdicts == ["rejected"])
    assert len(site.stored) == 1


def test_what_was_said_offline_is_sent_after_a_reload(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    visit.context.set_offline(True)
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    age(page, milliseconds=60_000)
    visit.context.set_offline(False)
    page.reload()
    until(lambda: site.verdicts == ["rejected"])
    expect(page.get_by_role("status")).to_have_text("Sent, thank you")
    assert site.posts[0]["age_ms"] >= 60_000


def test_what_was_said_offline_is_sent_when_the_network_is_back(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    visit.context.set_offline(True)
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    visit.context.set_offline(False)
    until(lambda: site.verdicts == ["rejected"], page=page)


def test_two_tabs_send_each_answer_once(visit: Visit, site: Site) -> None:
    first = visit.open(element())
    second = visit.open(element(sample=OTHER_SAMPLE), path="/second")
    visit.context.set_offline(True)
    for page in (first, second):
        tap(page)
        expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    visit.context.set_offline(False)
    for page in (first, second, first):
        page.evaluate(RETURN)
    until(lambda: len(site.stored) == 2, page=first)
    first.wait_for_timeout(200)
    assert set(site.deliveries().values()) == {1}


def test_while_one_tab_sends_another_does_not(visit: Visit, site: Site) -> None:
    first, second = visit.open(element()), visit.open(element())
    site.is_open.clear()
    tap(first)
    second.evaluate(RETURN)
    second.wait_for_timeout(200)
    site.is_open.set()
    until(lambda: site.posts)
    second.wait_for_timeout(100)
    assert len(site.posts) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_answer_that_was_refused_is_posted_once_and_not_at_once_again(visit: Visit, site: Site, status: int) -> None:
    site.status = status
    page = visit.open(element())
    page.get_by_role("button", name="Looks wrong").click()
    page.get_by_text("Saved, not sent yet").wait_for()
    page.wait_for_timeout(800)
    assert list(site.deliveries().values()) == [1]


@pytest.mark.parametrize("status", [401, 404, 408, 425, 429, 500, 503])
def test_a_server_in_trouble_gets_it_later(visit: Visit, site: Site, status: int) -> None:
    site.status = status
    page = visit.open(element())
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    site.status = 202
    page.evaluate(RETURN)
    until(lambda: site.verdicts == ["rejected"], page=page)
    assert len({post["id"] for post in site.posts}) == 1


def test_it_comes_again_by_itself(visit: Visit, site: Site) -> None:
    site.status = 503
    page = visit.context.new_page()
    page.add_init_script("Math.random = () => 0")
    site.add_page("/page", element())
    page.goto(f"{site.url}/page")
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    site.status = 202
    until(lambda: site.verdicts == ["rejected"], page=page)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_kept(visit: Visit, site: Site, form: str) -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 600))
    site.status, site.headers = 429, {"Retry-After": "600" if form == "seconds" else date}
    page = visit.open(element())
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    site.status = 202
    page.reload()
    page.wait_for_timeout(300)
    assert len(site.posts) == 1
    age(page, milliseconds=601_000)
    page.evaluate(RETURN)
    until(lambda: site.verdicts == ["rejected"], page=page)


def test_a_second_answer_waits_for_the_first_and_is_not_stuck(visit: Visit, site: Site) -> None:
    site.is_open.clear()
    page = visit.open(element())
    tap(page, "Looks right")
    tap(page, "Looks wrong")
    page.wait_for_timeout(200)
    site.is_open.set()
    until(lambda: len(site.posts) == 2, page=page)
    assert site.verdicts == ["confirmed", "rejected"]


def test_a_second_answer_is_sent_by_a_page_that_closes(visit: Visit, site: Site) -> None:
    site.is_open.clear()
    page = visit.open(element())
    tap(page, "Looks right")
    tap(page, "Looks wrong")
    page.goto("about:blank")
    site.is_open.set()
    until(lambda: len(site.stored) == 2)


@pytest.mark.parametrize("script", [DENY_STORAGE, NULL_STORAGE, FULL_STORAGE])
def test_without_storage_it_is_sent_all_the_same(visit: Visit, site: Site, script: str) -> None:
    visit.context.add_init_script(script)
    site.status = 503
    page = visit.open(element())
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    site.status = 202
    page.evaluate(RETURN)
    until(lambda: site.verdicts == ["rejected"], page=page)
    expect(page.get_by_role("status")).to_have_text("Sent, thank you")


def test_an_insecure_origin_will_do(visit: Visit, site: Site) -> None:
    page = visit.open(element(), origin=f"http://lan.test:{site.port}")
    assert page.evaluate("[isSecureContext, crypto.randomUUID, navigator.locks]") == [False, None, None]
    site.status = 503
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    site.status = 202
    page.evaluate(RETURN)
    until(lambda: site.verdicts == ["rejected"], page=page)


def test_a_sandboxed_frame_will_do(visit: Visit, site: Site) -> None:
    policy = f'endpoint="{site.url}"'
    site.files["/frame"] = element(policy).encode() + b'<script type="module" src="/widgets/looks-wrong.js"></script>'
    site.is_policed = False
    page = visit.open('<iframe sandbox="allow-scripts" src="/frame" title="frame"></iframe>')
    frame = page.frame_locator("iframe")
    site.status = 503
    frame.get_by_role("button", name="Looks wrong").click()
    expect(frame.get_by_role("status")).to_have_text("Saved, not sent yet")
    site.status = 202
    page.frames[1].evaluate(RETURN)
    until(lambda: site.verdicts == ["rejected"], page=page)


def test_another_origin_will_do(visit: Visit, site: Site) -> None:
    site.is_policed = False
    page = visit.open(element(f'endpoint="http://127.0.0.1:{site.port}/"'))
    tap(page)
    until(lambda: site.verdicts == ["rejected"], page=page)
    assert [request for request in site.requests if "/v1/" in request] == ["POST /v1/feedback"]


def test_after_a_week_it_is_given_up_and_told(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    visit.context.set_offline(True)
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    age(page, milliseconds=7 * 86_400_000 + 1000)
    visit.context.set_offline(False)
    page.reload()
    expect(page.get_by_role("status")).to_have_text("That did not work")
    assert (site.posts, waiting(page)) == ([], [])


def test_a_clock_that_was_set_back_does_not_keep_it(visit: Visit, site: Site) -> None:
    site.status, site.headers = 503, {"Retry-After": "3000"}
    page = visit.open(element())
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    age(page, milliseconds=-86_400_000)
    site.status = 202
    page.evaluate(RETURN)
    until(lambda: site.verdicts == ["rejected"], page=page)
    assert site.posts[-1]["age_ms"] == 0


def test_states_older_than_a_month_are_forgotten(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Sent, thank you")
    age(page, milliseconds=31 * 86_400_000)
    page.reload()
    assert page.get_by_role("status").inner_text() == ""
    assert page.evaluate("Object.keys(localStorage).length") == 0


def test_answers_of_another_page_are_told_to_the_document(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    visit.context.set_offline(True)
    tap(page)
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    site.add_page("/next", "nothing here")
    site.status = 503
    visit.context.set_offline(False)
    page.goto(f"{site.url}/next")
    page.evaluate("document.addEventListener('feedback-sent', ({detail}) => { window.told = detail.sample_id })")
    site.status = 202
    page.evaluate(RETURN)
    until(lambda: page.evaluate("window.told") == SAMPLE, page=page)
