"""`feedback_sdk.gradio` in a real app, in a browser."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from playwright.sync_api import Page, expect

from tests.frameworks.stand_in import KEY, SAMPLE, StandIn, free_port, running, wait_until

pytestmark = pytest.mark.skipif(
    find_spec("gradio") is None, reason="gradio must be importable to test with the real thing (`make adapters`)"
)

APP = f"""
import gradio as gr
import numpy as np

from feedback_sdk import FeedbackClient
from feedback_sdk.gradio import looks_wrong

client = FeedbackClient()

def predict(state):
    look = {{"correct": "count image labels", "labels": {{"a&b": '<A> "&" B'}}, "image": "#photo img"}}
    sample_id = "{SAMPLE[:-1]}" + str(state)
    return state + 1, np.full((480, 640, 3), 90, np.uint8), looks_wrong(client, sample_id, count=3, **look)

def hear(answer: gr.EventData):
    return f"heard {{answer._data['verdict']}}"

with gr.Blocks() as demo:
    state = gr.State(1)
    photo = gr.Image(elem_id="photo", width=320, buttons=[])
    button = looks_wrong(client)
    heard = gr.Textbox(label="Heard")
    gr.Button("Predict").click(predict, state, [state, photo, button])
    button.submit(hear, None, heard)
demo.launch(server_port=PORT, quiet=True)
"""


@pytest.fixture(scope="module")
def app(server: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("gradio"), free_port()
    (folder / "app.py").write_text(APP.replace("PORT", str(port)))
    environment = {"LOOKSWRONG_URL": server.url, "LOOKSWRONG_API_KEY": KEY, "GRADIO_ANALYTICS_ENABLED": "False"}
    with running(["app.py"], port=port, folder=folder, environment=environment) as url:
        yield url


@pytest.fixture
def shown(page: Page, app: str) -> Page:
    page.goto(app)
    page.get_by_role("button", name="Predict").click()
    page.get_by_text("Looks wrong").wait_for()
    return page


def test_no_sample_shows_no_button(page: Page, app: str) -> None:
    page.goto(app)
    page.get_by_role("button", name="Predict").wait_for()
    expect(page.locator("looks-wrong")).to_have_count(0)


def test_a_tap_arrives_and_the_app_hears_it(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks right")
    expect(shown.get_by_label("Heard")).to_have_value("heard confirmed")
    wait_until(lambda: len(server.feedback) == 1)
    [said] = server.feedback
    assert (said["sample_id"], said["verdict"]) == (SAMPLE, "confirmed")


def test_another_prediction_asks_anew(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks right")
    wait_until(lambda: len(server.feedback) == 1)
    shown.get_by_role("button", name="Predict").click()
    expect(shown.get_by_role("button", name="Looks right")).to_have_attribute("aria-pressed", "false")
    shown.click("text=Looks wrong")
    wait_until(lambda: len(server.feedback) == 2)
    assert server.feedback[0]["sample_id"] != server.feedback[1]["sample_id"]


def test_a_label_is_shown_and_sent_as_it_is(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks wrong")
    shown.get_by_label('<A> "&" B').check()
    shown.click("looks-wrong [part~=send]")
    wait_until(lambda: len(server.feedback) == 2)
    assert server.feedback[-1]["correction"] == {"label": "a&b"}


def test_a_tap_on_the_apps_image_is_in_its_own_pixels(shown: Page, server: StandIn) -> None:
    shown.click("text=Looks wrong")
    shown.click("looks-wrong [part~=mark]")
    sheet = shown.locator(".sheet")
    sheet.click(position={"x": 100, "y": 50})
    scale = 640 / sheet.bounding_box()["width"]
    shown.click("looks-wrong [part~=send]")
    wait_until(lambda: len(server.feedback) == 2)
    correction = server.feedback[-1]["correction"]
    assert correction["image_size"] == [640, 480]
    assert correction["points"] == [pytest.approx({"x": 100 * scale, "y": 50 * scale}, abs=2)]
