"""The page for people of other languages is true: its commands run, its tables are complete, its JavaScript works."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from queue_server.api import (
    alerts,
    changes,
    exports,
    feedback,
    health,
    models,
    policy,
    queries,
    requests,
    samples,
    shown,
    slices,
)
from queue_server.api.openapi import openapi
from queue_server.auth import Scope, make_key
from queue_server.store.engine import writing
from tests.sdk.token_vectors import FILE
from tests.server.conftest import NOW, PROJECT, Server, jpeg, run_server, sample

REGISTERED = (alerts, changes, exports, feedback, health, models, policy, queries, requests, samples, shown, slices)
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
OPERATIONS = sorted((method.upper(), path) for path, methods in openapi()["paths"].items() for method in methods)
WATCHED = "alerts: [{name: long, figure: queue.backlog, above: 100}]\n"
# Every curl must be answered with a 2xx, and says what it called.
CURL = r"""set -eu
curl() { command curl --fail-with-body -w '%{stderr}CALL %{method} %{url_effective}\n' "$@"; }
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def key_of(server: Server) -> str:
    with writing(server.backend.engine) as session:
        secret_keys = server.backend.settings.secret_keys
        return make_key(
            session, server.project, scopes=[Scope.INGEST, Scope.READ, Scope.ADMIN], secret_keys=secret_keys, now=NOW
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of the page's commands."""

    done: subprocess.CompletedProcess[str]
    server: Server

    @property
    def calls(self) -> set[tuple[str, str]]:
        found = re.findall(r"^CALL (\w+) http://[^/]+([^?\s]*)", self.done.stderr, re.MULTILINE)
        return {(method, operation_path(method, path)) for method, path in found}


def operation_path(method: str, path: str) -> str:
    """Return the path of the operation that a request was for, one without parameters first."""
    paths = sorted((known for of, known in OPERATIONS if of == method), key=lambda known: known.count("{"))
    for known in paths:
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path):
            return known
    raise AssertionError(f"{method} {path} must be a call of the wire")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Run]:
    """The page's commands, in order, in one shell."""
    from queue_server.backend import open_backend
    from queue_server.settings import Settings

    folder = tmp_path_factory.mktemp("wire")
    (folder / "photo.jpg").write_bytes(jpeg(640, 480))
    shutil.copy(migrated_file, folder / "lookswrong.db")
    backend = open_backend(Settings(data_dir=folder, secret_key="s" * 32))
    for server in run_server(backend, project_text=PROJECT + WATCHED):
        known = {
            "URL": server.url,
            "KEY": key_of(server),
            "WEBHOOK_SECRET": server.project.webhook_secret,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        }
        script = CURL + "\n".join(blocks("sh"))
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, env=known, capture_output=True, text=True, check=False, timeout=120
        )
        yield Run(done=done, server=server)
    backend.engine.dispose()


def test_every_command_of_the_page_succeeds(run: Run) -> None:
    assert run.done.returncode == 0, f"{run.done.stdout[-1500:]}\n{run.done.stderr[-1500:]}"


@pytest.mark.parametrize("call", OPERATIONS, ids=" ".join)
def test_page_has_a_command_for_every_call(run: Run, call: tuple[str, str]) -> None:
    assert call in run.calls


def test_page_leaves_behind_what_it_says(run: Run) -> None:
    listed = run.server.read.get("/v1/samples").json()["samples"]
    # One picture has one labeling task, and all of the page's samples show the same photo.
    assert sorted(item["state"] for item in listed) == ["archived", "awaiting_feedback", "awaiting_feedback", "queued"]
    # Of anna's two verdicts the later counts.
    assert {item["verdict"] for item in listed} == {"confirmed", "rejected", None}


@pytest.mark.parametrize(
    "name",
    [
        "Sample",
        "Prediction",
        "PostedFeedback",
        "PostedShowing",
        "Correction",
        "Box",
        "Polygon",
        "Mask",
        "Rle",
        "Keypoint",
        "Point",
    ],
)
def test_page_names_every_field(name: str) -> None:
    fields = openapi()["components"]["schemas"][name]["properties"]
    assert [field for field in fields if f"`{field}`" not in PAGE] == []


def test_links_of_the_page_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", PAGE):
        assert link.startswith("https://") or (ROOT / "docs" / link).exists(), link
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def test_every_status_of_the_wire_is_in_the_table_of_retries() -> None:
    table = PAGE[PAGE.index("## Retries") : PAGE.index("## Formats")]
    statuses = {
        status for methods in openapi()["paths"].values() for call in methods.values() for status in call["responses"]
    }
    known = set(re.findall(r"\b\d{3}\b", table)) | {"503"}  # it is a 5xx
    assert statuses - known - {"204", "304"} == set()


@pytest.fixture
def javascript(tmp_path: Path) -> Path:
    """The page's JavaScript as a module."""
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine: the page's JavaScript is not run")
    (code,) = blocks("js")
    (tmp_path / "wire.mjs").write_text(code, encoding="utf-8")
    return tmp_path


def run_node(folder: Path, program: str, *arguments: str) -> str:
    (folder / "run.mjs").write_text('import { mintToken, sendFeedback } from "./wire.mjs";\n' + program)
    command = ["node", str(folder / "run.mjs"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_javascript_of_the_page_mints_the_vectors(javascript: Path) -> None:
    program = """
    import { readFileSync } from "node:fs";
    for (const v of JSON.parse(readFileSync(process.argv[2], "utf8")).valid) {
      const said = { sampleId: v.sample_id, reporter: v.reporter ?? "", scope: v.scope, expiresAt: v.expires_at };
      console.log(await mintToken(v.api_key, said));
    }"""
    vectors = json.loads(FILE.read_text(encoding="utf-8"))["valid"]
    assert run_node(javascript, program, str(FILE)).split() == [vector["token"] for vector in vectors]


def test_javascript_of_the_page_sends_feedback_by_token(server: Server, javascript: Path) -> None:
    value = sample()
    server.post(value, jpeg())
    program = """
    const [url, key, sampleId, id] = process.argv.slice(2);
    const token = await mintToken(key, { sampleId, reporter: "Zoë", expiresAt: 4000000000 });
    console.log(await sendFeedback(url, { id, sample_id: sampleId, verdict: "rejected", token }));"""
    said = run_node(javascript, program, server.url, server.ingest_key, str(value.id).upper(), str(uuid4()))
    assert said.strip() == "202"
    assert server.sample(value.id)["feedback"][0]["reporter"] == "Zoë"
