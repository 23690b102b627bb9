"""The curl of each call, and the token's form, on the page of the API."""

import json
import shlex
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from feedback_sdk.wire import canonical_json
from queue_server.api import changes, exports, feedback, health, queries, samples
from queue_server.api.openapi import openapi
from queue_server.auth import Scope, make_key
from queue_server.pages.reference import read_reference
from queue_server.store.engine import writing
from tests.sdk.token_vectors import FILE
from tests.server.conftest import NOW, Server, jpeg, sample

REGISTERED = (changes, exports, feedback, health, queries, samples)
CURLS = {f"{call.method} {call.path}": call.curl for call in read_reference(openapi(), base_url="$URL").operations}


@pytest.mark.parametrize("name", CURLS)
def test_curl_calls_what_it_stands_beside(name: str) -> None:
    words = shlex.split(CURLS[name].replace("\\\n", " "))
    method, path = name.split(" ")
    given = words[words.index("-X") + 1] if "-X" in words else "PUT" if "-T" in words else None
    implied = "POST" if {"-d", "-F"} & set(words) else "GET"
    assert (given or implied) == method
    assert words[1].startswith("$URL" + path.partition("{")[0])


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("POST /v1/samples", "-F 'sample=<sample.json;type=application/json'"),
        ("POST /v1/samples/batch", '-F "image=@photo.jpg;filename=$SAMPLE_ID"'),
        ("PUT /v1/samples/{sample_id}/image", "-T photo.jpg"),
        ("GET /v1/images/{sha256}", '-H "Authorization: Bearer $LOOKSWRONG_API_KEY"'),
        ("GET /v1/exports/{format_name}", "-o data-set.zip"),
        ("POST /v1/label-studio/{project}", '-H "X-Lookswrong-Webhook: $X_LOOKSWRONG_WEBHOOK"'),
    ],
)
def test_curl_sends_what_its_call_needs(name: str, piece: str) -> None:
    assert piece in CURLS[name]


def test_probe_is_asked_without_a_key() -> None:
    assert CURLS["GET /healthz"] == 'curl "$URL/healthz"'


@pytest.mark.parametrize("name", ["POST /v1/samples", "GET /v1/samples/{sample_id}", "POST /v1/samples/wanted"])
def test_curl_of_the_page_works_as_it_stands(server: Server, tmp_path: Path, name: str) -> None:
    value, image = sample(), jpeg()
    (tmp_path / "sample.json").write_bytes(canonical_json(sample(id=uuid4())))
    (tmp_path / "photo.jpg").write_bytes(image)
    (tmp_path / "body.json").write_text(json.dumps({"ids": [str(value.id)]}))
    server.post(value, image)
    with writing(server.backend.engine) as session:
        keys = server.backend.settings.secret_keys
        key = make_key(
            session, server.project, scopes=[Scope.INGEST, Scope.READ, Scope.ADMIN], secret_keys=keys, now=NOW
        )
    known = {"URL": server.url, "LOOKSWRONG_API_KEY": key, "SAMPLE_ID": str(value.id), "PATH": "/usr/bin:/bin"}
    command = ["sh", "-c", CURLS[name].replace("curl ", "curl -sS --fail-with-body ")]
    run = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    assert str(value.id) in run.stdout or "not_yet" in run.stdout or "stored" in run.stdout


def test_docs_link_the_token_vectors_which_need_no_key(server: Server) -> None:
    page = server.admin.get("/docs").text
    assert "v1.&lt;kid&gt;.&lt;scope&gt;" in page
    assert '"/static/token-vectors.json" download' in page
    assert server.open.get("/static/token-vectors.json").json() == json.loads(FILE.read_text(encoding="utf-8"))
