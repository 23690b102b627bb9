"""The database's connection, its transactions and its schema: SQLite (WAL) or PostgreSQL."""

import fcntl
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlmodel import Session

from queue_server.errors import SettingsError
from queue_server.settings import Settings

_MIGRATION_LOCK = 7_305_511


def make_engine(settings: Settings) -> Engine:
    """Open the settings' database; no connection is made yet."""
    url = _database_url(settings.effective_database_url)
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 30.0, "check_same_thread": False})
    _prepare_sqlite(engine, settings.sqlite_synchronous)
    return engine


def _database_url(text: str) -> URL:
    """Read the address of a database, which may hold a password: it is not shown."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsError("LOOKSWRONG_DATABASE_URL must be postgresql://user:password@host/name or sqlite:///file")
    return url


def _prepare_sqlite(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: object, _record: object) -> None:
        # The driver must not open transactions of its own: a read that becomes a write could never get the lock.
        connection.isolation_level = None  # type: ignore[attr-defined]  # sqlite3's own attribute
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]  # as above

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        is_write = connection.get_execution_options().get("is_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Open a session that only reads."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """Open a session in one write transaction; it commits at the end, and rolls back on any error."""
    with Session(engine.execution_options(is_write=True), expire_on_commit=False) as session:
        with session.begin():
            yield session
        _count_decisions(session)


def _count_decisions(session: Session) -> None:
    """Count what was decided, now that it is committed."""
    decided = session.info.pop("decided", ())
    if decided:
        from queue_server import meters  # it takes a while to load, and commands decide nothing

        for project, state, reason in decided:
            meters.DECISIONS.labels(project, state, reason).inc()


def migrate(engine: Engine) -> None:
    """Bring the schema up to date, under a lock: any number of processes may call it at once."""
    with _migration_lock(engine), altering(engine) as config:
        command.upgrade(config, "head")


@contextmanager
def altering(engine: Engine) -> Iterator[Config]:
    """Give Alembic one transaction, which commits at the end; the caller holds the migrations' lock.

    Where SQLite cannot alter a table Alembic copies it and drops the old one, which other rows refer to: their foreign
    keys are off meanwhile (no transaction can switch them), and checked all together before the commit.
    """
    config = _alembic_config()
    with engine.connect() as connection, _without_foreign_keys(connection):
        config.attributes["connection"] = connection
        yield config
        if connection.dialect.name == "sqlite":
            lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            assert not lost, f"every row that is referred to must be there, got {lost[:5]}"
        connection.commit()


@contextmanager
def _without_foreign_keys(connection: Connection) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        raw.execute("PRAGMA foreign_keys=ON")


def check_schema(engine: Engine) -> None:
    """Raise SettingsError unless the schema is the one that this code needs."""
    head = _newest_revision()
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except OperationalError as error:
        reason = str(error.orig).partition("\n")[0]
        raise SettingsError(f"the database must answer: {reason}") from error
    if current != head:
        raise SettingsError(f"the schema must be at {head}, got {current}: run `lookswrong migrate`")


@functools.cache  # it reads every script, and pages ask at each call
def _newest_revision() -> str | None:
    return ScriptDirectory.from_config(_alembic_config()).get_current_head()


def ping(engine: Engine) -> None:
    """Make the database answer, or raise OperationalError."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config


@contextmanager
def _migration_lock(engine: Engine) -> Iterator[None]:
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
        return
    if not engine.url.database:
        yield
        return
    with Path(f"{engine.url.database}.migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
