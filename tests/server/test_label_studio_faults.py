"""The client when Label Studio is away, refuses, or the network loses an answer."""

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from queue_server.errors import LabelStudioError
from queue_server.label_studio import LabelStudio
from tests.server.label_studio_calls import call, envelope, first_looks


def personal_access_token(label_studio):
    """Make one as a person does: log in, then ask for it."""
    jar = CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))
    page = browser.open(f"{label_studio.url}/user/login/", timeout=30).read().decode()
    field = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    form = {"email": label_studio.email, "password": label_studio.password, "csrfmiddlewaretoken": field}
    browser.open(f"{label_studio.url}/user/login/", data=urlencode(form).encode(), timeout=30).read()
    csrf = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    request = Request(f"{label_studio.url}/api/token/", method="POST", headers={"X-CSRFToken": csrf})
    return json.loads(browser.open(request, timeout=30).read())["token"]


# label-studio-sdk 2.1.2 reads the exchanged token by a method that pydantic 2 deprecates.
@pytest.mark.filterwarnings("ignore:The `parse_obj` method is deprecated")
def test_personal_access_token_is_taken_too(label_studio):
    known = LabelStudio(f"{label_studio.url}/", personal_access_token(label_studio))
    assert known.check().user == label_studio.email
    assert known.check().user == label_studio.email


@pytest.mark.parametrize("api_key", ["0" * 40, "nonsense"])
def test_wrong_token_is_told_with_the_remedy_and_without_the_token(label_studio, api_key):
    with pytest.raises(LabelStudioError, match="make a personal access token") as caught:
        LabelStudio(label_studio.url, api_key).check()
    assert (caught.value.permanent, caught.value.status) == (True, 401)
    assert api_key not in str(caught.value)
    assert caught.value.__cause__ is None


def test_unknown_project_is_told_with_the_remedy(client):
    with pytest.raises(LabelStudioError, match="was deleted") as caught:
        client.get_label_config(999_999)
    assert (caught.value.permanent, caught.value.status) == (True, 404)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_server_that_is_away_is_told_and_may_come_back():
    with pytest.raises(LabelStudioError, match="start it, or set LOOKSWRONG_LABEL_STUDIO_URL") as caught:
        LabelStudio(f"http://127.0.0.1:{free_port()}", "key").check()
    assert (caught.value.permanent, caught.value.status) == (False, None)


def test_address_that_is_none_is_told():
    with pytest.raises(LabelStudioError, match="must be a web address") as caught:
        LabelStudio("label-studio", "key").check()
    assert caught.value.permanent


@contextmanager
def relay(label_studio, *, dropped):
    """A proxy that passes requests on and hangs up instead of answering those whose path contains `dropped`."""
    host, port = label_studio.url.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    counted = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as reader:
                answer_one(connection, reader)

    def answer_one(connection, reader):
        method, path, _ = reader.readline().decode().split()
        headers = http.client.parse_headers(reader)
        upstream = http.client.HTTPConnection(host, int(port), timeout=30)
        upstream.request(method, path, reader.read(int(headers.get("Content-Length", 0))), dict(headers.items()))
        answer = upstream.getresponse()
        body = answer.read()
        upstream.close()
        if dropped in path:
            counted.append(path)
            return
        head = (f"HTTP/1.1 {answer.status} OK", "Content-Type: application/json", f"Content-Length: {len(body)}")
        connection.sendall("\r\n".join((*head, "Connection: close", "", "")).encode() + body)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", counted
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_import_whose_answer_is_lost_is_not_repeated_but_found(client, label_studio, project_id):
    with (
        relay(label_studio, dropped="/import") as (url, counted),
        pytest.raises(LabelStudioError, match="it may have been done") as caught,
    ):
        LabelStudio(url, label_studio.api_key).import_tasks(project_id, [envelope("s1"), envelope("s2")])
    assert len(counted) == 1
    assert not caught.value.permanent
    assert len(client.find_tasks(project_id, first_looks(["s1", "s2"]))) == 2
    assert call(label_studio, "GET", f"/api/projects/{project_id}/")["task_number"] == 2


def test_server_that_does_not_answer_in_time_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = LabelStudio(f"http://127.0.0.1:{listener.getsockname()[1]}", "key", timeout_seconds=0.2)
        with pytest.raises(LabelStudioError, match="must answer in time") as caught:
            silent.check()
    assert not caught.value.permanent


def test_importing_our_package_does_not_load_the_sdk():
    code = (
        "import sys, queue_server.label_studio; sys.exit('label_studio_sdk' in sys.modules or 'httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
