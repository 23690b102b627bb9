"""The schema, version by version."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from queue_server.backend import Backend, open_backend
from queue_server.settings import Settings
from queue_server.store import changes, samples, targets
from queue_server.store.engine import altering, migrate, reading, writing
from tests.server.conftest import NOW, Server, apply_project, run_server, sample


def go_to(backend: Backend, revision: str) -> None:
    """Bring the schema to a revision, up or down."""
    step = command.upgrade if revision == "head" else command.downgrade
    with altering(backend.engine) as config:
        step(config, revision)


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


#: A row in each table of the second schema, in the order in which they refer to each other.
_BEFORE_THE_POLICY = """
INSERT INTO project (id, name, task, labels, multi_label, policy_version, salt, webhook_secret, label_studio_title,
  label_studio_project_id, label_studio_view_id, label_studio_controls, label_studio_error, pulled_until, pulled_at,
  created_at) VALUES (1, 'pills', 'detection', '["pill"]', :no, 1, :salt, 'w', 'Pills', 7, 3, '{"boxes": "b"}', '401',
  :now, :now, :now);
INSERT INTO project (id, name, task, labels, multi_label, policy_version, salt, webhook_secret, label_studio_title,
  created_at) VALUES (2, 'cats', 'detection', '["cat"]', :no, 0, :salt, 'w', 'Cats', :now);
INSERT INTO policy_version (id, project_id, version, confirmation_window_seconds, rules, created_at)
  VALUES (1, 1, 1, 60, '[]', :now);
INSERT INTO api_key (id, kid, project_id, scopes, secret_sha256, token_key_encrypted, created_at)
  VALUES (1, 'k', 1, '[]', 's', 't', :now);
INSERT INTO model_version (id, project_id, name, created_at) VALUES (1, 1, 'v1', :now);
INSERT INTO image (sha256, width, height, media_type, size_bytes, created_at)
  VALUES ('i', 4, 3, 'image/png', 9, :now);
INSERT INTO sample (id, project_id, sample_id, payload_sha256, captured_at, received_at, tags, extra,
  capture_probability, stands_for, image_sha256, policy_version, state, is_disputed, priority, inclusion_probability,
  window_ends_at) VALUES (1, 1, '00000000000000000000000000000001', 'p', :now, :now, '[]', '{}', 1, 1, 'i', 1, 'pushed',
  :no, 0, 0, :now);
INSERT INTO prediction (id, sample_pk, model_version, document, payload_sha256, is_shown, received_at)
  VALUES (1, 1, 'v1', '{}', 'p', :no, :now);
INSERT INTO feedback (id, project_id, feedback_id, sample_id, sample_pk, payload_sha256, verdict, source, given_at,
  received_at) VALUES (1, 1, '00000000000000000000000000000002', '00000000000000000000000000000001', 1, 'p', 'rejected',
  'key', :now, :now);
INSERT INTO decision (id, sample_pk, trigger, policy_version, state, priority, inclusion_probability, rules, decided_at)
  VALUES (1, 1, 'arrival', 1, 'queued', 0, 0, '[]', :now);
INSERT INTO history_entry (id, project_id, sample_pk, state, at) VALUES (1, 1, 1, 'queued', :now);
INSERT INTO labeling_task (id, project_id, sample_pk, generation, state, priority, reasons, is_stale, revision,
  is_withdrawal_wanted, available_at, attempts, label_studio_project_id, label_studio_task_id, created_at)
  VALUES (1, 1, 1, 1, 'pushed', 0, '[]', :no, 0, :no, :now, 1, 7, 11, :now);
INSERT INTO annotation (id, project_id, sample_pk, label_studio_annotation_id, annotator, created_at, updated_at,
  pulled_at, is_skipped, is_ground_truth, result) VALUES (1, 1, 1, 5, '1', :now, :now, :now, :no, :no, '[]');
INSERT INTO export (id, project_id, export_id, format, manifest, created_at)
  VALUES (1, 1, '00000000000000000000000000000003', 'coco', '{}', :now);
INSERT INTO split_assignment (id, project_id, group_key, split, created_at) VALUES (1, 1, 'g', 'train', :now)
"""


@pytest.fixture
def before_the_policy(backend: Backend) -> Backend:
    """A database at the second schema, with a row in each table."""
    go_to(backend, "base")
    with altering(backend.engine) as config:
        command.upgrade(config, "0002")
    values = {"no": False, "salt": b"salt", "now": NOW.isoformat(sep=" ")}
    with backend.engine.begin() as connection:
        for statement in _BEFORE_THE_POLICY.split(";\n"):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
    return backend


def _counts(backend: Backend) -> dict[str, int]:
    tables = inspect(backend.engine).get_table_names()
    with backend.engine.connect() as connection:
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}


def test_no_row_is_lost_on_the_way_to_the_policy_and_back(before_the_policy: Backend) -> None:
    before = _counts(before_the_policy)
    go_to(before_the_policy, "head")
    after = _counts(before_the_policy)
    assert after | before == after
    assert min(before.values()) == 1
    go_to(before_the_policy, "0002")
    assert _counts(before_the_policy) == before


def test_place_in_label_studio_moves_to_a_target_and_back(before_the_policy: Backend) -> None:
    go_to(before_the_policy, "head")
    with reading(before_the_policy.engine) as session:
        (target,) = targets.of_project(session, 1)
        assert targets.of_project(session, 2) == []
    found = (target.title, target.label_studio_project_id, target.label_studio_view_id, target.controls, target.error)
    assert (found, target.pulled_until) == (("Pills", 7, 3, {"boxes": "b"}, "401"), NOW)
    go_to(before_the_policy, "0002")
    with before_the_policy.engine.connect() as connection:
        moved_back = connection.execute(text("SELECT label_studio_project_id FROM project ORDER BY id")).scalars()
        assert list(moved_back) == [7, None]


def test_foreign_keys_are_checked_again_after_a_migration(sqlite_backend: Backend) -> None:
    with sqlite_backend.engine.begin() as connection, pytest.raises(IntegrityError):
        connection.execute(text("INSERT INTO model_version (project_id, name, created_at) VALUES (9, 'v1', '2026')"))


def test_migration_that_would_lose_rows_is_refused(sqlite_backend: Backend) -> None:
    apply_project(sqlite_backend)
    with pytest.raises(AssertionError, match="must be there"), altering(sqlite_backend.engine) as config:
        config.attributes["connection"].execute(text("DELETE FROM project"))
    assert _counts(sqlite_backend)["project"] == 1
