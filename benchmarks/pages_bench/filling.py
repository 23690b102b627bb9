"""A PostgreSQL with a long history in it, filled by the database itself."""

import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from queue_server import policy_file
from queue_server.backend import Backend
from queue_server.store.engine import migrate, writing

_SQL = Path(__file__).with_name("history.sql")

PROJECT = """
project: pill-counter
task: detection
labels: [pill, capsule]
confirmation_window: 24h
rules:
  - {strategy: user_rejected, priority: 100}
  - {strategy: unconfirmed_low_confidence, threshold: 0.6, priority: 60}
  - {strategy: empty, probability: 0.2, priority: 50}
  - {strategy: random, rate: 0.05, priority: 10}
"""


def fill(backend: Backend, url: str, *, samples: int) -> tuple[int, float]:
    """Make the schema, one project and its history; return the project's id and the seconds that it took."""
    started = time.monotonic()
    migrate(backend.engine)
    with writing(backend.engine) as session:
        project = policy_file.apply(session, policy_file.parse(PROJECT), now=datetime.now(UTC)).project
    assert project.id is not None
    text = _SQL.read_text().replace(":samples", str(samples)).replace(":project", str(project.id))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(text.encode())
        connection.execute("SELECT setval(pg_get_serial_sequence('sample', 'id'), max(id)) FROM sample")
        connection.execute("VACUUM ANALYZE")
    return project.id, time.monotonic() - started
