"""What an annotator's browser does, and what we send, for tests of the client."""

import json
from itertools import count
from urllib.request import Request, urlopen

from feedback_sdk.types import Box, Prediction, Task
from queue_server.core.label_config import label_config, own_controls
from queue_server.core.label_studio_json import pre_annotation
from queue_server.core.proposals import Proposal, UserVerdict

LABELS = ["pill", "capsule & co"]
NUMBERS = count(1)


def new_project(client, task=Task.DETECTION):
    return client.ensure_project(f"client test {next(NUMBERS)}", label_config(task=task, labels=LABELS))


def call(label_studio, method, path, body=None):
    """Do what an annotator's browser does, without our client."""
    request = Request(
        f"{label_studio.url}{path}", method=method, data=None if body is None else json.dumps(body).encode()
    )
    request.add_header("Authorization", f"Token {label_studio.api_key}")
    request.add_header("Content-Type", "application/json")
    with urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def annotate(label_studio, task_id, result, **more):
    body = {"result": result, "lead_time": 12.5, **more}
    return call(label_studio, "POST", f"/api/tasks/{task_id}/annotations/", body)["id"]


def proposal(sample_id="s1", *, correction=None, prediction=None, **more):
    box = Box(label="pill", x_min=10.0, y_min=20.0, x_max=110.0, y_max=220.0, confidence=0.9)
    verdicts = [UserVerdict(verdict="corrected", correction=correction, comment="look <here>")] if correction else []
    known = {"image_url": "http://127.0.0.1:9/i.jpg", "width": 640, "height": 480, "reason": "random"}
    prediction = prediction or Prediction(model_version="v1", task="detection", boxes=[box])
    return Proposal(sample_id=sample_id, prediction=prediction, verdicts=verdicts, **(known | more))


def envelope(sample_id="s1", **more):
    said = proposal(sample_id, **more)
    return pre_annotation(said, controls=own_controls(said.prediction.task))
