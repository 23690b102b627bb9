"""The databases of the server's tests."""

from tests.server.conftest import backend, migrated_file, postgresql_backend, sqlite_backend

__all__ = ["backend", "migrated_file", "postgresql_backend", "sqlite_backend"]
