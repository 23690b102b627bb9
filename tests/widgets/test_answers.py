"""What a user says, step by step, and what is posted of it."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.conftest import Visit, until
from tests.widgets.site import OTHER_SAMPLE, SAMPLE, TOKEN, Site, element

LABELS = json.dumps([{"value": "pill", "label": "Pille"}, {"value": "capsule", "label": "Kapsel"}])
EVENTS = """() => { window.heard = [];
  for (const name of ["saved", "sent", "failed"]) document.addEventListener("feedback-" + name,
    ({ type, detail, target }) => heard.push([type.slice(9), detail, target.nodeName])); }"""


def tap(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def status(page: Page) -> str:
    return page.get_by_role("status").inner_text()


def is_pressed(page: Page, name: str) -> bool:
    return page.get_by_role("button", name=name).get_attribute("aria-pressed") == "true"


def events(page: Page) -> list[tuple[str, dict, str]]:
    heard = page.evaluate("heard")
    return [
        (name, {key: value for key, value in detail.items() if value is not None}, at) for name, detail, at in heard
    ]


def test_a_page_that_nobody_touches_posts_no_answer(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    page.wait_for_timeout(300)
    assert (site.posts, status(page)) == ([], "")


@pytest.mark.parametrize(("button", "verdict"), [("Looks right", "confirmed"), ("Looks wrong", "rejected")])
def test_one_tap_posts_one_answer(visit: Visit, site: Site, button: str, verdict: str) -> None:
    page = visit.open(element())
    tap(page, button)
    expect(page.get_by_role("status")).to_have_text("Sent, thank you")
    (post,) = site.posts
    assert (post["sample_id"], post["token"], post["verdict"]) == (SAMPLE, TOKEN, verdict)
    assert post["type"].startswith("text/plain")
    assert set(post) - {"answered", "body_bytes", "type", "cookie"} == {"id", "sample_id", "token", "verdict", "age_ms"}


def test_an_answer_is_one_request_without_preflight_or_cookie(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    page.evaluate("document.cookie = 'who=me'")
    tap(page, "Looks right")
    until(lambda: site.posts)
    assert site.posts[0]["cookie"] is None
    assert [request for request in site.requests if "/v1/" in request] == ["POST /v1/feedback"]
    assert [request for request in site.requests if request.endswith(".js")] == ["GET /widgets/looks-wrong.js"]


def test_a_user_is_told_at_once_that_it_is_saved(visit: Visit, site: Site) -> None:
    site.is_open.clear()
    page = visit.open(element())
    tap(page, "Looks right")
    assert (status(page), is_pressed(page, "Looks right")) == ("Saved", True)
    site.is_open.set()
    expect(page.get_by_role("status")).to_have_text("Sent, thank you")


def test_a_second_tap_says_nothing_new(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    for name in ("Looks right", "Looks right", "Looks wrong", "Looks wrong"):
        tap(page, name)
    until(lambda: len(site.posts) == 2, page=page)
    page.wait_for_timeout(100)
    assert site.verdicts == ["confirmed", "rejected"]


def test_flag_mode_has_wrong_alone(visit: Visit) -> None:
    page = visit.open(element('mode="flag"'))
    assert page.get_by_role("button").all_inner_texts() == ["Looks wrong"]


def test_without_sample_or_token_it_cannot_be_tapped(visit: Visit) -> None:
    page = visit.open('<looks-wrong sample="x"></looks-wrong>')
    assert page.get_by_role("button", name="Looks right").is_disabled()
    page.evaluate("document.querySelector('looks-wrong').token = 't'")
    assert page.get_by_role("button", name="Looks right").is_enabled()


@pytest.mark.parametrize(
    ("attributes", "fill", "correction"),
    [
        ('correct="count" count="29"', {"How many?": "30"}, {"count": 30}),
        ('correct="count"', {"How many?": "0"}, {"count": 0}),
        (f"correct='labels' labels='{LABELS}'", {"Kapsel": None}, {"label": "capsule"}),
        (f"correct='count labels' labels='{LABELS}'", {"How many?": "2", "Pille": None}, {"count": 2, "label": "pill"}),
    ],
)
def test_a_correction_follows(
    visit: Visit, site: Site, attributes: str, fill: dict[str, str | None], correction: dict
) -> None:
    page = visit.open(element(attributes))
    tap(page, "Looks wrong")
    for name, value in fill.items():
        field = page.get_by_label(name)
        field.check() if value is None else field.fill(value)
    tap(page, "Send")
    until(lambda: len(site.posts) == 2, page=page)
    assert site.verdicts == ["rejected", "corrected"]
    assert site.posts[1]["correction"] == correction


@pytest.mark.parametrize("attributes", ["", 'correct="count" count="29"'])
def test_a_panel_without_anything_new_posts_nothing_more(visit: Visit, site: Site, attributes: str) -> None:
    page = visit.open(element(attributes))
    tap(page, "Looks wrong")
    tap(page, "Send")
    page.wait_for_timeout(150)
    assert site.verdicts == ["rejected"]


def test_a_comment_is_asked_for_after_wrong_alone(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    tap(page, "Looks right")
    assert page.get_by_label("Comment").count() == 0
    tap(page, "Looks wrong")
    page.get_by_label("Comment").fill("  eine fehlt, واحدة ناقصة ")
    tap(page, "Send")
    until(lambda: len(site.posts) == 3, page=page)
    assert (site.posts[2]["verdict"], site.posts[2]["comment"]) == ("rejected", "eine fehlt, واحدة ناقصة")


def test_a_comment_of_any_script_fits_the_body(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    page.evaluate("document.querySelector('looks-wrong').submit('rejected', {comment: '🙂'.repeat(9000)})")
    until(lambda: site.posts)
    assert site.posts[0]["comment"] == "🙂" * 500
    assert site.posts[0]["body_bytes"] < 4000
    tap(page, "Looks wrong")
    assert page.get_by_label("Comment").get_attribute("maxlength") == "500"


def test_undo_of_a_sent_objection_confirms(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    tap(page, "Looks wrong")
    expect(page.get_by_role("status")).to_have_text("Sent, thank you")
    tap(page, "Undo")
    until(lambda: len(site.posts) == 2, page=page)
    assert site.verdicts == ["rejected", "confirmed"]
    assert (is_pressed(page, "Looks wrong"), is_pressed(page, "Looks right"), status(page)) == (False, False, "")


def test_undo_of_a_sent_confirmation_posts_nothing(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    tap(page, "Looks right")
    expect(page.get_by_role("status")).to_have_text("Sent, thank you")
    tap(page, "Undo")
    page.wait_for_timeout(150)
    assert (site.verdicts, is_pressed(page, "Looks right")) == (["confirmed"], False)


def test_undo_before_it_was_sent_posts_nothing(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    visit.context.set_offline(True)
    tap(page, "Looks wrong")
    expect(page.get_by_role("status")).to_have_text("Saved, not sent yet")
    tap(page, "Undo")
    visit.context.set_offline(False)
    page.wait_for_timeout(300)
    assert site.posts == []


def test_undo_of_what_the_server_may_have_confirms(visit: Visit, site: Site) -> None:
    site.is_open.clear()
    page = visit.open(element())
    tap(page, "Looks wrong")
    tap(page, "Undo")
    site.is_open.set()
    until(lambda: len(site.posts) == 2, page=page)
    assert site.verdicts == ["rejected", "confirmed"]


def test_the_state_is_back_after_a_reload(visit: Visit, site: Site) -> None:
    page = visit.open(element() + element(sample=OTHER_SAMPLE))
    page.get_by_role("button", name="Looks wrong").first.click()
    until(lambda: site.posts)
    expect(page.get_by_role("status").first).to_have_text("Sent, thank you")
    page.reload()
    pressed = [button.get_attribute("aria-pressed") for button in page.get_by_role("button", name="Looks wrong").all()]
    assert (pressed, page.get_by_role("status").first.inner_text()) == (["true", "false"], "Sent, thank you")
    assert len(site.posts) == 1


@pytest.mark.parametrize(
    ("outcome", "text"),
    [("user_right", "Checked: you were right"), ("user_wrong", "Checked: it was right"), ("other", "")],
)
def test_what_was_checked_is_told(visit: Visit, outcome: str, text: str) -> None:
    page = visit.open(element(f'status="{outcome}"'))
    assert status(page) == text


# The element's own interface.


def test_methods_answer_and_reset(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    page.evaluate(EVENTS)
    found = page.evaluate("""async () => { const one = document.querySelector("looks-wrong"), seen = [];
      const note = () => seen.push([one.state, one.verdict]);
      note(); one.open(); note();
      const id = one.submit("corrected", {correction: {count: 2}, comment: "two"});
      await new Promise((done) => one.addEventListener("feedback-sent", done));
      note(); one.reset(); note(); return [id, seen]; }""")
    assert found[1] == [["idle", None], ["open", None], ["open", "corrected"], ["idle", None]]
    assert list(site.stored) == [found[0]]
    assert site.posts[0]["correction"] == {"count": 2}


@pytest.mark.parametrize("call", ["'wrong'", "'corrected'", "'rejected', {correction: {count: 1}}", ""])
def test_a_verdict_that_is_none_is_refused(visit: Visit, site: Site, call: str) -> None:
    page = visit.open(element())
    with pytest.raises(Exception, match="needs sample, token and a verdict, got"):
        page.evaluate(f"document.querySelector('looks-wrong').submit({call})")
    assert site.posts == []


def test_events_bubble_with_the_answer_and_without_its_token(visit: Visit, site: Site) -> None:
    page = visit.open(element())
    page.evaluate(EVENTS)
    tap(page, "Looks wrong")
    until(lambda: len(events(page)) == 2, page=page)
    (saved, sent) = events(page)
    assert [saved[0], saved[2], sent[0], sent[2]] == ["saved", "LOOKS-WRONG", "sent", "LOOKS-WRONG"]
    assert saved[1] == {"id": site.posts[0]["id"], "sample_id": SAMPLE, "verdict": "rejected"}
    assert sent[1] == saved[1] | {"status": 202}


@pytest.mark.parametrize("refusal", [400, 409, 413, 415, 422])
def test_what_is_refused_is_told_and_not_sent_again(visit: Visit, site: Site, refusal: int) -> None:
    site.status = refusal
    page = visit.open(element())
    page.evaluate(EVENTS)
    tap(page, "Looks right")
    expect(page.get_by_role("status")).to_have_text("That did not work")
    assert [(name, detail.get("status")) for name, detail, _ in events(page)] == [("saved", None), ("failed", refusal)]
    assert not is_pressed(page, "Looks right")
    page.reload()
    page.wait_for_timeout(200)
    assert len(site.posts) == 1


def test_properties_set_before_the_definition_count(visit: Visit) -> None:
    page = visit.open("")
    page.evaluate("""() => { const late = document.createElement("looks-wrong"); late.sample = "a"; late.token = "b";
      late.labels = [{value: "x", label: "X"}]; late.correct = "labels"; document.body.append(late); late.open(); }""")
    assert page.get_by_role("radio", name="X").count() == 1


def test_rendering_anew_keeps_a_draft_and_another_sample_does_not(visit: Visit) -> None:
    page = visit.open(element('correct="count"'))
    tap(page, "Looks wrong")
    page.get_by_label("How many?").fill("7")
    page.evaluate(
        "document.querySelector('looks-wrong').labels = []; document.querySelector('looks-wrong').token = 'n'"
    )
    assert page.get_by_label("How many?").input_value() == "7"
    page.evaluate("document.querySelector('looks-wrong').sample = 'another'")
    assert page.get_by_label("How many?").count() == 0


@pytest.mark.parametrize(
    ("locale", "lang", "text"),
    [("de", "de-AT", "Sieht falsch aus"), ("ar", "ar", "تبدو خاطئة"), ("de", "fr", "Looks wrong")],
)
def test_it_speaks_the_language_of_the_page(visit: Visit, locale: str, lang: str, text: str) -> None:
    head = f'<script type="module" src="/widgets/locales/{locale}.js"></script>'
    page = visit.open(f'<div lang="{lang}">{element()}</div>', head=head)
    assert text in page.get_by_role("button").nth(1).inner_text()


def test_own_words_win(visit: Visit) -> None:
    page = visit.open(element("""strings='{"wrong": "Stimmt nicht"}'"""))
    assert page.get_by_role("button").nth(1).inner_text() == "Stimmt nicht"


# What was seen.


def test_a_result_that_was_seen_is_reported_once(visit: Visit, site: Site) -> None:
    page = visit.open(f'<div>{element()}</div><p class="far"></p>')
    until(lambda: site.shown, page=page)
    assert {name: site.shown[0][name] for name in ("token", "age_ms")} == {
        "token": TOKEN,
        "age_ms": site.shown[0]["age_ms"],
    }
    page.reload()
    page.wait_for_timeout(1300)
    assert (len(site.shown), site.posts) == (1, [])


def test_what_is_out_of_sight_is_not_reported(visit: Visit, site: Site) -> None:
    page = visit.open("<br>" * 200 + element())
    page.wait_for_timeout(1300)
    assert site.shown == []
    page.get_by_role("button", name="Looks right").scroll_into_view_if_needed()
    until(lambda: site.shown, page=page)
