"""The parts of a server, there and away."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from queue_server.backend import Backend, open_backend
from queue_server.local_label_studio import LocalLabelStudio
from queue_server.readiness import check_readiness
from queue_server.settings import Settings
from queue_server.store import targets
from queue_server.store.engine import migrate, writing
from tests.server.conftest import NOW, Server, apply_project


@contextmanager
def opened(folder: Path, **settings: str) -> Iterator[Backend]:
    backend = open_backend(Settings(data_dir=folder, secret_key="s" * 32, **settings))
    migrate(backend.engine)
    yield backend
    backend.engine.dispose()


def test_all_is_well_when_every_part_answers(tmp_path: Path, redis_url: str, label_studio: LocalLabelStudio) -> None:
    with opened(tmp_path, broker_url=redis_url, label_studio_url=label_studio.url) as backend:
        found = check_readiness(backend)
    assert found.status == "ok"
    assert {name: part.status for name, part in found.parts.items()} == dict.fromkeys(
        ("database", "blobs", "broker", "label_studio"), "ok"
    )


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:9/0", "redis://[", "nothing://127.0.0.1"])
def test_broker_that_is_away_or_not_set_degrades(tmp_path: Path, url: str) -> None:
    with opened(tmp_path, broker_url=url) as backend:
        found = check_readiness(backend)
    assert (found.status, found.parts["broker"].status) == ("degraded", "degraded")
    assert found.parts["broker"].detail


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9", "http://[", "nothing://127.0.0.1"])
def test_label_studio_that_is_away_or_not_set_degrades(tmp_path: Path, url: str) -> None:
    with opened(tmp_path, label_studio_url=url) as backend:
        found = check_readiness(backend)
    assert (found.status, found.parts["label_studio"].status) == ("degraded", "degraded")
    assert found.parts["label_studio"].detail


def test_other_server_in_label_studios_place_degrades(tmp_path: Path, server: Server) -> None:
    with opened(tmp_path / "other", label_studio_url=server.url) as backend:
        part = check_readiness(backend).parts["label_studio"]
    assert (part.status, part.detail) == ("degraded", "answers 404")


def test_old_schema_is_down_and_names_the_command(sqlite_backend: Backend) -> None:
    with sqlite_backend.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'old'"))
    found = check_readiness(sqlite_backend)
    assert (found.status, found.parts["database"].status) == ("down", "down")
    assert "lookswrong migrate" in found.parts["database"].detail


def test_image_store_that_takes_nothing_is_down(sqlite_backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "blobs").rmdir()
    (tmp_path / "blobs").write_text("a file in the folder's place")
    found = check_readiness(sqlite_backend)
    assert (found.status, found.parts["blobs"].status) == ("down", "down")


def test_readyz_is_503_only_when_a_vital_part_is_down(server: Server) -> None:
    assert (server.open.get("/readyz").status_code, server.open.get("/readyz").json()["status"]) == (200, "degraded")
    with server.backend.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'old'"))
    assert (server.open.get("/readyz").status_code, server.open.get("/readyz").json()["status"]) == (503, "down")


def test_last_refusal_of_label_studio_is_told_although_it_answers(
    sqlite_backend: Backend, label_studio: LocalLabelStudio
) -> None:
    settings = sqlite_backend.settings.model_copy(update={"label_studio_url": label_studio.url})
    backend = replace(sqlite_backend, settings=settings)
    project = apply_project(backend)
    with writing(backend.engine) as session:
        target = targets.ensure(session, project, project.label_studio_title, now=NOW)
        targets.note_error(session, target, "401: the token must be valid")
    part = check_readiness(backend).parts["label_studio"]
    assert (part.status, part.detail) == ("degraded", "401: the token must be valid")
