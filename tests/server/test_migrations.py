"""The schema, version by version."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from queue_server.backend import Backend, open_backend
from queue_server.settings import Settings
from queue_server.store import changes, samples
from queue_server.store.engine import _alembic_config, migrate, reading, writing
from tests.server.conftest import Server, run_server, sample


def go_to(backend: Backend, revision: str) -> None:
    """Bring the schema to a revision, up or down."""
    config = _alembic_config()
    with backend.engine.connect() as connection:
        config.attributes["connection"] = connection
        step = command.upgrade if revision == "head" else command.downgrade
        step(config, revision)
        connection.commit()


def test_schema_is_that_of_the_models(backend: Backend) -> None:
    with backend.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert found == []


def test_every_migration_can_be_undone_and_done_again(backend: Backend) -> None:
    go_to(backend, "base")
    go_to(backend, "head")
    with reading(backend.engine) as session:
        assert session.connection().execute(text("SELECT count(*) FROM history_entry")).scalar() == 0


@pytest.fixture
def filled(backend: Backend) -> Server:
    """A server that was upgraded from the first schema with a sample in it."""
    (server,) = _upgraded(backend)
    return server


def _upgraded(backend: Backend) -> list[Server]:
    servers = []
    for server in run_server(backend):
        server.post(sample())
        go_to(backend, "0001")
        go_to(backend, "head")
        servers.append(server)
    return servers


def test_changes_from_before_the_feed_are_in_it(filled: Server) -> None:
    engine, project_id = filled.backend.engine, filled.project.id
    with writing(engine) as session:
        changes.publish(session, project_id)
    with reading(engine) as session:
        ((sample_id, row),) = changes.page(session, project_id, after=0, limit=10)
        assert samples.find(session, project_id, sample_id).id == row.sample_pk
    assert (row.state, row.position) == ("awaiting_feedback", 1)


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    opened = open_backend(Settings(data_dir=tmp_path, secret_key="s" * 32))
    for _ in range(2):
        migrate(opened.engine)
    opened.engine.dispose()
