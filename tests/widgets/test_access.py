"""Everybody can use it: by keyboard, with a screen reader, on a small screen, in the dark, from right to left."""

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.conftest import Visit, until
from tests.widgets.site import Site, element
from tests.widgets.test_marks import LABELS, photo

BODY = '<img id="photo" src="/photo.jpg" alt="pills" width="240">'
ASKED = f'correct="count labels image" count="6" image="#photo" {LABELS}'
STATES = ("idle", "open", "marked", "sent", "saved", "failed")
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True},
    "right to left": {"locale": "ar"},
    "forced colors": {"forced_colors": "active"},
}
ROOT = "document.querySelector('looks-wrong').shadowRoot"


def open_in(new_visit: Callable[..., Visit], site: Site, look: str, *, layout: str = "inline") -> Page:
    site.files["/photo.jpg"] = photo()
    site.files["/page.css"] = b":root { color-scheme: light dark }"
    head = '<link rel="stylesheet" href="/page.css"><script type="module" src="/widgets/locales/ar.js"></script>'
    direction = 'lang="ar" dir="rtl"' if look == "right to left" else 'lang="en"'
    body = f"<div {direction}>{BODY}<div>{element(f'{ASKED} layout={layout}')}</div></div>"
    return new_visit(**LOOKS[look]).open(body, head=head)


def bring_to(page: Page, site: Site, state: str) -> None:
    """Make the element come into a state."""
    site.status = 422 if state == "failed" else 202
    if state == "saved":
        site.is_open.clear()
    if state == "idle":
        return
    if state in {"open", "marked"}:
        page.evaluate("document.querySelector('looks-wrong').open()")
    else:
        page.evaluate("document.querySelector('looks-wrong').submit('rejected')")
    if state == "marked":
        page.locator("[part~=mark]").click()
        page.locator("[part~=add]").click()
        page.locator(".sheet button").wait_for()
    else:
        until(lambda: page.evaluate("document.querySelector('looks-wrong').state") == state, page=page)


def axe_source() -> str:
    try:
        from axe_playwright_python.base import AxeBase  # noqa: F401
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("axe-playwright-python is not installed")
    return Axe().axe_script


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(new_visit: Callable[..., Visit], site: Site, look: str) -> None:
    script = axe_source()
    for state in STATES:
        page = open_in(new_visit, site, look)
        bring_to(page, site, state)
        page.evaluate(script)
        found = page.evaluate("axe.run().then(({violations}) => violations.map((one) => [one.id, one.nodes[0].html]))")
        assert (state, found) == (state, [])
        site.is_open.set()


@pytest.mark.parametrize("look", ["light", "phone", "right to left"])
@pytest.mark.parametrize("layout", ["inline", "popover"])
def test_targets_are_large_and_on_the_screen(
    new_visit: Callable[..., Visit], site: Site, look: str, layout: str
) -> None:
    page = open_in(new_visit, site, look, layout=layout)
    bring_to(page, site, "marked")
    small = page.evaluate(
        ROOT
        + """.querySelectorAll("button, input, textarea") && [...document.querySelector("looks-wrong").shadowRoot
          .querySelectorAll("button, [part~=option], [name=count], textarea")].filter((node) => {
          const { width, height, left, right } = node.getBoundingClientRect(), isMark = node.className;
          return width && !isMark && (width < 44 || height < 44 || left < 0 || right > innerWidth);
        }).map((node) => node.outerHTML)"""
    )
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_mark_is_grasped_within_44_px(new_visit: Callable[..., Visit], site: Site) -> None:
    page = open_in(new_visit, site, "light")
    bring_to(page, site, "marked")
    box = page.locator(".sheet button").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for dx, dy in ((20, 0), (-20, 0), (0, 20), (0, -20)):
        assert page.evaluate(f"{ROOT}.elementFromPoint({x + dx}, {y + dy}).className") == "spot"


def focused(page: Page) -> str:
    return page.evaluate(f"({ROOT}.activeElement ?? document.activeElement).getAttribute('part') ?? ''")


def test_the_whole_path_by_keyboard(visit: Visit, site: Site) -> None:
    page = visit.open(element(f"correct='count labels' {LABELS}"))
    for key in ("Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    assert focused(page) == "panel"
    for key in ("Tab", "3", "Tab", "ArrowDown", "Tab", "x", "Tab", "Enter"):
        page.keyboard.press(key)
    until(lambda: len(site.posts) == 2, page=page)
    assert focused(page) == "button wrong"
    assert site.posts[1]["correction"] == {"count": 3, "label": "capsule"}
    assert site.posts[1]["comment"] == "x"


@pytest.mark.parametrize("layout", ["inline", "popover"])
def test_escape_closes_and_focus_returns(visit: Visit, layout: str) -> None:
    page = visit.open(element(f'layout="{layout}"'))
    wrong = page.get_by_role("button", name="Looks wrong")
    wrong.press("Enter")
    assert (wrong.get_attribute("aria-expanded"), focused(page)) == ("true", "panel")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert (wrong.get_attribute("aria-expanded"), focused(page)) == ("false", "button wrong")


def test_focus_returns_to_the_apps_own_button(visit: Visit) -> None:
    page = visit.open('<button id="own">Report</button>' + element('layout="popover"'))
    page.evaluate("own.onclick = () => document.querySelector('looks-wrong').open()")
    page.locator("#own").click()
    assert page.get_by_role("form", name="Looks wrong").is_visible()
    page.get_by_role("button", name="Close").click()
    assert page.evaluate("document.activeElement.id") == "own"


def test_undo_keeps_the_focus(visit: Visit) -> None:
    page = visit.open(element())
    page.get_by_role("button", name="Looks right").click()
    page.get_by_role("button", name="Undo").press("Enter")
    assert focused(page) == "button wrong"


def test_what_happens_is_said_aloud(visit: Visit) -> None:
    page = visit.open(element())
    assert page.get_by_role("status").count() == 1
    page.get_by_role("button", name="Looks right").click()
    expect(page.get_by_role("status")).to_have_text("Sent, thank you")


def test_a_touch_answers(new_visit: Callable[..., Visit], site: Site) -> None:
    page = open_in(new_visit, site, "phone")
    page.get_by_role("button", name="Looks right").tap()
    until(lambda: site.verdicts == ["confirmed"], page=page)


def test_what_is_chosen_shows_in_forced_colors(new_visit: Callable[..., Visit], site: Site) -> None:
    page = open_in(new_visit, site, "forced colors")
    page.get_by_role("button", name="Looks right").click()
    colors = [
        page.evaluate(f"getComputedStyle({ROOT}.querySelector('[part~={name}]')).backgroundColor")
        for name in ("right", "wrong")
    ]
    assert colors[0] != colors[1]


def test_custom_properties_and_parts_theme_it(visit: Visit, site: Site) -> None:
    site.files["/own.css"] = (
        b"looks-wrong { --looks-wrong-accent: #800080 } looks-wrong::part(wrong) { padding-left: 31px }"
    )
    page = visit.open(element(), head='<link rel="stylesheet" href="/own.css">')
    page.get_by_role("button", name="Looks wrong").click()
    style = f"getComputedStyle({ROOT}.querySelector('[part~=wrong]'))"
    assert page.evaluate(f"[{style}.backgroundColor, {style}.paddingLeft]") == ["rgb(128, 0, 128)", "31px"]


def test_a_browser_without_constructed_sheets_is_styled_too(visit: Visit, site: Site) -> None:
    site.is_policed = False
    visit.context.add_init_script("delete window.CSSStyleSheet")
    page = visit.open(element())
    box = page.get_by_role("button", name="Looks wrong").bounding_box()
    assert box
    assert box["height"] >= 44
