"""`feedback_sdk.streamlit` in a real app, in a browser."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from playwright.sync_api import Page, expect

from tests.frameworks.stand_in import KEY, SAMPLE, StandIn, free_port, running, wait_until

pytestmark = pytest.mark.skipif(
    find_spec("streamlit") is None, reason="streamlit must be importable to test with the real thing (`make adapters`)"
)

APP = f"""
import streamlit as st
from PIL import Image

from feedback_sdk import FeedbackClient
from feedback_sdk.streamlit import looks_wrong

client = st.cache_resource(FeedbackClient)()
st.session_state.runs = st.session_state.get("runs", 0) + 1
with st.container(key="photo"):
    st.image(Image.new("RGB", (640, 480), "teal"), width=320)
run = f"run {{st.session_state.runs}}"  # as the reporter it makes each run's token another one
look = {{"correct": "count image", "count": 3, "image": ".st-key-photo img", "reporter": run}}
said = looks_wrong(client, "{SAMPLE}", **look)
st.write(f"{{run}}: {{said}}")
st.button("Again")
looks_wrong(client, None)
"""


@pytest.fixture(scope="module")
def app(server: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("streamlit"), free_port()
    (folder / "app.py").write_text(APP)
    options = ["--server.headless=true", f"--server.port={port}", "--browser.gatherUsageStats=false"]
    arguments = ["-m", "streamlit", "run", "app.py", *options]
    environment = {"LOOKSWRONG_URL": server.url, "LOOKSWRONG_API_KEY": KEY}
    with running(arguments, port=port, folder=folder, environment=environment) as url:
        yield url


@pytest.fixture
def shown(page: Page, app: str) -> Page:
    page.goto(app)
    page.get_by_text("Looks wrong").wait_for()
    return page


def test_a_tap_arrives_and_the_app_knows_it(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks right")
    expect(shown.get_by_text("run 2: confirmed")).to_be_visible()
    wait_until(lambda: len(server.feedback) == 1)
    [said] = server.feedback
    assert (said["sample_id"], said["verdict"]) == (SAMPLE, "confirmed")


def test_a_rerun_costs_no_correction_in_hand(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks wrong")
    expect(shown.get_by_text("run 2: rejected")).to_be_visible()
    shown.fill("[name=count]", "7")
    shown.click("text=Again")
    expect(shown.get_by_text("run 3: rejected")).to_be_visible()
    shown.click("looks-wrong [part~=send]")
    expect(shown.get_by_text("run 4: corrected")).to_be_visible()
    wait_until(lambda: len(server.feedback) == 2)
    assert server.feedback[-1]["correction"]["count"] == 7


def test_an_answer_is_remembered_over_a_reload(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks wrong")
    expect(shown.get_by_text("run 2: rejected")).to_be_visible()
    wait_until(lambda: len(server.feedback) == 1)
    shown.reload()
    expect(shown.get_by_text("run 2: rejected")).to_be_visible()
    expect(shown.get_by_role("button", name="Looks wrong")).to_have_attribute("aria-pressed", "true")
    assert len(server.feedback) == 1


def test_what_is_taken_back_is_none_again(shown: Page) -> None:
    shown.click("text=Looks right")
    expect(shown.get_by_text("run 2: confirmed")).to_be_visible()
    shown.click("text=Undo")
    expect(shown.get_by_text("run 3: None")).to_be_visible()


def test_a_tap_on_the_apps_image_comes_with_the_size_that_streamlit_made_of_it(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks wrong")
    shown.click("looks-wrong [part~=mark]")
    shown.locator(".sheet").click(position={"x": 100, "y": 50})
    shown.click("looks-wrong [part~=send]")
    wait_until(lambda: len(server.feedback) == 2)
    correction = server.feedback[-1]["correction"]
    assert correction["image_size"] == [320, 240]
    assert correction["points"] == [pytest.approx({"x": 100, "y": 50}, abs=1)]


def test_no_sample_shows_no_button(shown: Page) -> None:
    expect(shown.locator("looks-wrong")).to_have_count(1)
