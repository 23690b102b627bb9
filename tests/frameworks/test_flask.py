"""The recipe for Flask and Jinja, as a real app under its content policy."""

import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from feedback_sdk import tokens
from tests.frameworks.recipes import blocks
from tests.frameworks.stand_in import KEY, SAMPLE, StandIn, wait_until

pytestmark = pytest.mark.skipif(
    find_spec("flask") is None, reason="flask must be importable to test with the real thing"
)


@pytest.fixture(scope="module")
def app(server: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from werkzeug.serving import make_server

    folder = tmp_path_factory.mktemp("flask")
    (folder / "templates").mkdir()
    for name, text in zip(("looks_wrong", "result"), blocks("Flask and Jinja", "jinja"), strict=True):
        (folder / "templates" / f"{name}.html").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOKSWRONG_URL", server.url)
        patch.setenv("LOOKSWRONG_API_KEY", KEY)
        patch.setenv("LOOKSWRONG_SPOOL_DIR", str(folder / "spool"))
        names = _run(folder / "recipe.py")
    listening = make_server("127.0.0.1", 0, names["app"], threaded=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()
    names["client"].close(0)


def _run(path: Path) -> dict:
    """Run the recipe's module, whose templates lie beside it."""
    [text] = blocks("Flask and Jinja", "python")
    names: dict = {"__name__": "recipe", "__file__": str(path)}
    exec(
        compile(text.replace("Flask(__name__)", f"Flask(__name__, root_path={str(path.parent)!r})"), path, "exec"),
        names,
    )
    return names


@pytest.fixture
def shown(page: Page, app: str) -> Page:
    page.context.add_cookies([{"name": "visitor", "value": "v-7", "url": app}])
    page.add_init_script(
        "globalThis.broken = [];"
        "addEventListener('securitypolicyviolation', (event) => broken.push(event.violatedDirective));"
    )
    page.goto(f"{app}/result/{SAMPLE}")
    page.get_by_text("Looks wrong").wait_for()
    return page


def test_an_answer_arrives_with_the_token_of_the_visitor(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks right")
    wait_until(lambda: len(server.feedback) == 1)
    [said] = server.feedback
    assert (said["sample_id"], said["verdict"]) == (SAMPLE, "confirmed")
    assert tokens.parse(said["token"]).reporter == "v-7"


def test_a_correction_offers_what_the_macro_was_told(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks wrong")
    expect(shown.locator("[name=count]")).to_have_value("30")
    shown.get_by_label("A pill").check()
    shown.fill("[name=count]", "31")
    shown.click("looks-wrong [part~=send]")
    wait_until(lambda: len(server.feedback) == 2)
    assert server.feedback[-1]["correction"] == {"count": 31, "label": "pill"}


def test_nothing_breaks_the_content_policy(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks wrong")
    shown.click("looks-wrong [part~=send]")
    wait_until(lambda: len(server.feedback) == 1)
    assert shown.evaluate("broken") == []
