"""What tests of pages post: by token, by publishable key, from an origin."""

import json
from uuid import UUID, uuid4

import httpx

from feedback_sdk import tokens
from queue_server import models, policy_file
from queue_server.auth import Scope, make_key
from queue_server.store.engine import writing
from tests.server.conftest import NOW, PROJECT, Server

LATER = 4_000_000_000
PAGE = "https://app.example"


def mint(server: Server, sample_id: UUID, *, reporter: str = "anna") -> str:
    return tokens.mint(server.ingest_key, sample_id=sample_id, reporter=reporter, scope="f", expires_at=LATER)


def publishable(server: Server) -> str:
    """Make a publishable key of the server's project."""
    with writing(server.backend.engine) as session:
        secret_keys = server.backend.settings.secret_keys
        return make_key(session, server.project, scopes=[Scope.PUBLISH], secret_keys=secret_keys, now=NOW)


def post(server: Server, path: str, body: dict, *, origin: str | None = PAGE) -> httpx.Response:
    """Post as a page does: as text, without preflight."""
    headers = {"Content-Type": "text/plain"} | ({"Origin": origin} if origin is not None else {})
    return server.open.post(path, content=json.dumps(body), headers=headers)


def answer(sample_id: UUID, verdict: str = "rejected", **more: object) -> dict:
    return {"id": str(uuid4()), "sample_id": str(sample_id), "verdict": verdict} | more


def say(
    server: Server, sample_id: UUID, *, reporter: str = "anna", origin: str | None = PAGE, **more: object
) -> httpx.Response:
    """Post a verdict by token."""
    body = answer(sample_id, **{"token": mint(server, sample_id, reporter=reporter)} | more)
    return post(server, "/v1/feedback", body, origin=origin)


def show(server: Server, sample_id: UUID, **more: object) -> httpx.Response:
    """Tell by token that a result was shown."""
    return post(server, "/v1/shown", {"token": mint(server, sample_id)} | more)


def other_project(server: Server) -> models.Project:
    """Make a second project on the same server."""
    with writing(server.backend.engine) as session:
        text = PROJECT.replace("pill-counter", "tablet-reader")
        return policy_file.apply(session, policy_file.parse(text), now=NOW).project
