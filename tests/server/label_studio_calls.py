"""What an annotator's browser does, and what we send, for tests of the client."""

import json
from itertools import count
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import httpx

from feedback_sdk.types import Box, Prediction, Task
from queue_server.core.label_config import label_config, own_controls
from queue_server.core.label_studio_json import pre_annotation
from queue_server.core.proposals import Proposal, UserVerdict

LABELS = ["pill", "capsule & co"]
NUMBERS = count(1)


def new_project(client, task=Task.DETECTION):
    return client.ensure_project(f"client test {next(NUMBERS)}", label_config(task=task, labels=LABELS))


def call(label_studio, method, path, body=None, *, token=None):
    """Do what an annotator's browser does, without our client; `token`: of another annotator than the first."""
    request = Request(
        f"{label_studio.url}{path}", method=method, data=None if body is None else json.dumps(body).encode()
    )
    request.add_header("Authorization", f"Token {token or label_studio.api_key}")
    request.add_header("Content-Type", "application/json")
    with urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def annotate(label_studio, task_id, result, *, token=None, **more):
    body = {"result": result, "lead_time": 12.5, **more}
    return call(label_studio, "POST", f"/api/tasks/{task_id}/annotations/", body, token=token)["id"]


def new_annotator(label_studio):
    """Invite another annotator, as the first one would, and return their token."""
    path = call(label_studio, "GET", "/api/invite")["invite_url"]
    with httpx.Client(base_url=label_studio.url, follow_redirects=True, timeout=30) as browser:
        browser.get(path)
        form = {"email": f"annotator{next(NUMBERS)}@example.com", "password": "Passw0rd123"}
        signed = {**form, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post(path, data=signed, headers={"Referer": f"{label_studio.url}{path}"}).raise_for_status()
        return browser.get("/api/current-user/token").raise_for_status().json()["token"]


def in_tab(label_studio, view_id, project_id, *, token=None):
    """Return the samples that a tab lists."""
    path = f"/api/tasks/?view={view_id}&project={project_id}&fields=task_only"
    return [task["data"]["sample_id"] for task in call(label_studio, "GET", path, token=token)["tasks"]]


def next_in_tab(label_studio, view_id, project_id, *, token=None):
    """Return the sample that "Label Tasks As Displayed" serves next; None: nothing is left."""
    path = f"/api/dm/actions?id=next_task&tabID={view_id}&project={project_id}"
    try:
        return call(label_studio, "POST", path, {"project": str(project_id)}, token=token)["data"]["sample_id"]
    except HTTPError as error:
        if error.code != 404:
            raise
        return None


def first_looks(sample_ids):
    return [(sample_id, 1) for sample_id in sample_ids]


def proposal(sample_id="s1", *, correction=None, prediction=None, **more):
    box = Box(label="pill", x_min=10.0, y_min=20.0, x_max=110.0, y_max=220.0, confidence=0.9)
    verdicts = [UserVerdict(verdict="corrected", correction=correction, comment="look <here>")] if correction else []
    known = {"image_url": "http://127.0.0.1:9/i.jpg", "width": 640, "height": 480, "reason": "random"}
    prediction = prediction or Prediction(model_version="v1", task="detection", boxes=[box])
    return Proposal(sample_id=sample_id, prediction=prediction, verdicts=verdicts, **(known | more))


def envelope(sample_id="s1", **more):
    said = proposal(sample_id, **more)
    return pre_annotation(said, controls=own_controls(said.prediction.task))
