"""What the helpers tell the button, and what they say where their framework is not installed."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import feedback_sdk.gradio
import feedback_sdk.streamlit
from feedback_sdk import FeedbackClient, tokens
from feedback_sdk.element import attributes, script
from tests.frameworks.stand_in import KEY, SAMPLE

SERVER = "https://queue.example"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FeedbackClient]:
    with FeedbackClient(f"{SERVER}/", KEY, spool_dir=tmp_path) as running:
        yield running


def test_without_a_sample_or_a_key_there_is_nothing_to_tell(client: FeedbackClient) -> None:
    assert attributes(client, None) is None
    assert attributes(FeedbackClient(), SAMPLE) is None


def test_the_least_is_the_sample_its_token_and_the_server(client: FeedbackClient) -> None:
    told = attributes(client, SAMPLE, reporter="v-7")
    token = tokens.parse(told.pop("token"))
    assert told == {"sample": SAMPLE, "endpoint": SERVER}
    assert (str(token.sample_id), token.reporter) == (SAMPLE, "v-7")


def test_browsers_may_know_the_server_by_another_address(client: FeedbackClient) -> None:
    assert attributes(client, SAMPLE, endpoint="https://public.example/")["endpoint"] == "https://public.example"
    assert script(SERVER) == f"{SERVER}/widgets/looks-wrong.js"


@pytest.mark.parametrize(
    ("look", "told"),
    [
        ({"correct": "count image", "mode": "flag"}, {"correct": "count image", "mode": "flag"}),
        ({"count": 0}, {"count": 0}),
        ({"count": None, "image": None}, {}),
        ({"labels": []}, {"labels": []}),
        ({"labels": ["pill"]}, {"labels": [{"value": "pill", "label": "pill"}]}),
        ({"labels": {"pill": "A pill"}}, {"labels": [{"value": "pill", "label": "A pill"}]}),
        ({"strings": {"right": "Ja"}}, {"strings": {"right": "Ja"}}),
    ],
)
def test_the_look_is_told_as_text(client: FeedbackClient, look: dict, told: dict) -> None:
    found = attributes(client, SAMPLE, **look)
    more = {name: text for name, text in found.items() if name not in {"sample", "token", "endpoint"}}
    assert all(isinstance(text, str) for text in more.values())
    assert {name: text if text == look[name] else json.loads(text) for name, text in more.items()} == told


@pytest.mark.parametrize(
    ("framework", "helper"), [("streamlit", feedback_sdk.streamlit), ("gradio", feedback_sdk.gradio)]
)
def test_a_framework_that_is_missing_is_named_with_the_remedy(
    client: FeedbackClient, framework: str, helper: object
) -> None:
    if find_spec(framework):
        pytest.skip(f"{framework} must be absent to see what is said then")
    with pytest.raises(ImportError, match=f"pip install -U {framework}"):
        helper.looks_wrong(client, SAMPLE)
