"""What is shipped: its size, its description, its types, and that nothing of it stays behind in a page."""

import json
import re
import shutil
from pathlib import Path

import pytest

from scripts import widget
from tests.widgets.conftest import Visit, until
from tests.widgets.site import WIDGETS, Site, element

MEMBERS = """() => { const one = document.querySelector("looks-wrong"), kind = one.constructor;
  return [kind.observedAttributes, Object.getOwnPropertyNames(kind.prototype)]; }"""
CALLBACKS = {"constructor", "connectedCallback", "disconnectedCallback", "attributeChangedCallback"}


def declaration() -> dict:
    manifest = json.loads((WIDGETS / "custom-elements.json").read_text())
    return manifest["modules"][0]["declarations"][0]


def test_sizes_hold_and_the_small_files_are_what_the_sources_make() -> None:
    report = widget.check()
    assert {name: report[name]["gzip_bytes"] <= most for name, most in widget.LIMITS.items()} == dict.fromkeys(
        widget.LIMITS, True
    )


def test_a_file_that_is_too_large_is_refused() -> None:
    sizes = {name: {"gzip_bytes": most} for name, most in widget.LIMITS.items()}
    widget.check_sizes(sizes)
    sizes["looks-wrong.min.js"]["gzip_bytes"] += 1
    with pytest.raises(widget.WidgetError, match=r"looks-wrong\.min\.js must have at most 4500 bytes, got 4501"):
        widget.check_sizes(sizes)


def test_without_node_the_recorded_hashes_are_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(WIDGETS, tmp_path / "widgets")
    monkeypatch.setattr(widget, "WIDGETS", tmp_path / "widgets")
    monkeypatch.setenv("PATH", "")
    widget.check()
    (tmp_path / "widgets/looks-wrong.js").write_text("// changed")
    with pytest.raises(widget.WidgetError, match=r"as it was built: run `python scripts/widget\.py`"):
        widget.check()


def test_the_manifest_says_what_the_class_has(visit: Visit) -> None:
    observed, members = visit.open(element()).evaluate(MEMBERS)
    described = declaration()
    assert {item["name"] for item in described["attributes"]} == set(observed) - {"lang"}
    assert {item["name"] for item in described["members"]} == set(members) - CALLBACKS


def test_the_types_say_what_the_class_has(visit: Visit) -> None:
    _, members = visit.open(element()).evaluate(MEMBERS)
    types = (WIDGETS / "looks-wrong.d.ts").read_text()
    body = re.search(r"class LooksWrong extends HTMLElement \{(.*?)\n\}", types, re.DOTALL)
    assert body
    assert set(re.findall(r"^  (?:readonly )?(\w+)[(:]", body[1], re.MULTILINE)) == set(members) - CALLBACKS


def test_events_parts_and_properties_are_described() -> None:
    sources = (WIDGETS / "looks-wrong.js").read_text() + (WIDGETS / "looks-wrong-marker.js").read_text()
    described = declaration()
    assert {item["name"] for item in described["cssProperties"]} == set(re.findall(r"var\((--[\w-]+)", sources))
    types = (WIDGETS / "looks-wrong.d.ts").read_text()
    assert {item["name"] for item in described["events"]} == set(re.findall(r'"(feedback-\w+)": Custom', types))


def test_shown_parts_are_described(visit: Visit) -> None:
    labels = """labels='[{"value": "a", "label": "A"}]'"""
    page = visit.open(
        f'<canvas id="c"></canvas>{element(f"correct={chr(34)}count labels image{chr(34)} image=canvas {labels}")}'
    )
    page.get_by_role("button", name="Looks wrong").click()
    shadow = "document.querySelector('looks-wrong').shadowRoot"
    parts = f"[...{shadow}.querySelectorAll('[part]')].flatMap((one) => [...one.part])"
    found = set(page.evaluate(parts))
    page.get_by_role("button", name="Mark on the image").click()
    page.get_by_role("button", name="Add a mark").wait_for()
    found |= set(page.evaluate(parts))
    assert found - {"saved", "sent", "idle"} == {item["name"] for item in declaration()["cssParts"]}


@pytest.mark.parametrize("locale", ["en", "de", "ar"])
def test_locales_have_every_text(locale: str) -> None:
    def texts(source: str) -> dict[str, str]:
        return dict(re.findall(r'^  (\w+): "(.*)",$', source, re.MULTILINE))

    built_in = texts((WIDGETS / "looks-wrong.js").read_text().partition("// Storage:")[0])
    own = texts((WIDGETS / f"locales/{locale}.js").read_text())
    assert list(own) == list(built_in)
    assert locale != "en" or own == built_in


@pytest.mark.parametrize("script", ["looks-wrong.min.js", "looks-wrong.all.min.js"])
def test_the_small_files_do_the_same(visit: Visit, site: Site, script: str) -> None:
    canvas = '<canvas width="200" height="100"></canvas>'
    page = visit.open(canvas + element('correct="image" image="canvas"'), script=f"/widgets/{script}")
    for name in ("Looks wrong", "Mark on the image", "Add a mark", "Send"):
        page.get_by_role("button", name=name).click()
    until(lambda: site.verdicts == ["rejected", "corrected"], page=page)
    assert site.posts[1]["correction"]["points"] == [{"x": 100, "y": 50}]
    loaded = {request for request in site.requests if request.endswith(".js")}
    assert len(loaded) == (1 if "all" in script else 2)


def test_two_copies_on_a_page_do_no_harm(visit: Visit, site: Site) -> None:
    head = '<script type="module" src="/widgets/looks-wrong.all.min.js"></script>'
    page = visit.open(element(), head=head)
    page.get_by_role("button", name="Looks right").click()
    until(lambda: len(site.posts) == 1, page=page)


def test_a_page_may_be_rendered_without_a_browser() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    import subprocess

    done = subprocess.run([node, WIDGETS / "looks-wrong.js"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_demo_answers_under_the_strictest_policy(visit: Visit, site: Site) -> None:
    page = visit.open(path="/widgets/demo.html")
    page.get_by_role("button", name="Looks right").first.click()
    expect_posted = page.locator("#posted li")
    expect_posted.first.wait_for()
    assert '"verdict":"confirmed"' in "".join(expect_posted.all_inner_texts())
    assert site.posts == []


def test_elements_that_go_leave_nothing_behind(visit: Visit) -> None:
    page = visit.open(element())
    session = visit.context.new_cdp_session(page)
    counts = []
    for _ in range(4):
        page.evaluate("""() => { for (let index = 0; index < 200; index += 1) {
          const one = document.createElement("looks-wrong"); one.sample = "s" + index; one.token = "t";
          document.body.append(one); one.open(); one.remove(); } }""")
        session.send("HeapProfiler.collectGarbage")
        found = session.send("Memory.getDOMCounters")
        counts.append((found["nodes"], found["jsEventListeners"]))
    assert counts[3] == counts[1]
