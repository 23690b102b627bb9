"""What importing the SDK brings along: nothing of others, and little of Python."""

import subprocess
import sys

import pytest

import feedback_sdk
from feedback_sdk import aio, client, drops, sender, types
from feedback_sdk.preparation import before_send, bursts
from feedback_sdk.sender import statuses
from tests.sdk.stand_in import KEY

_HOMES = {
    "AsyncFeedbackClient": aio,
    "Capture": before_send,
    "Collapse": bursts,
    "Drop": drops,
    "DropReason": drops,
    "FeedbackClient": client,
    "SampleStatus": statuses,
    "Stats": sender,
}
MODULES = """
import sys
from {module} import {name}
print(*sorted({{name.partition('.')[0] for name in sys.modules}} - set(sys.stdlib_module_names)))
print('http.client' in sys.modules, 'ssl' in sys.modules)
"""


@pytest.mark.parametrize(
    ("module", "name"),
    [("feedback_sdk", "FeedbackClient"), ("feedback_sdk.aio", "AsyncFeedbackClient"), ("feedback_sdk.tokens", "mint")],
)
def test_no_module_of_others_is_imported(module, name):
    text = MODULES.format(module=module, name=name)
    run = subprocess.run([sys.executable, "-S", "-c", text], capture_output=True, text=True, check=True)
    assert set(run.stdout.splitlines()[0].split()) <= {"__main__", "__mp_main__", "feedback_sdk"}


def test_http_and_tls_are_not_loaded_before_they_are_needed():
    text = MODULES.format(module="feedback_sdk", name="FeedbackClient")
    run = subprocess.run([sys.executable, "-S", "-c", text], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[1] == "False False"


@pytest.mark.parametrize("name", feedback_sdk.__all__)
def test_every_public_name_loads(name):
    home = _HOMES.get(name, types)
    assert getattr(feedback_sdk, name) is getattr(home, name)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = feedback_sdk.Nothing


def test_dir_shows_what_has_not_loaded_yet():
    assert set(feedback_sdk.__all__) <= set(dir(feedback_sdk))


def test_the_senders_thread_imports_nothing(server, tmp_path):
    # An import that a fork interrupts stays locked in the child, whose sender then hangs.
    server.answers.append((503, {"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}, b""))
    text = f"""
import sys
from feedback_sdk import FeedbackClient
client = FeedbackClient({server.url.replace("127.0.0.1", "localhost")!r}, {KEY!r}, spool_dir={str(tmp_path)!r})
before = set(sys.modules)
client.confirm(client.log_prediction(b"image"))
assert client.flush(10)
print(*set(sys.modules) - before)
"""
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
