"""Columns that several tables use: times, JSON documents."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, TypeDecorator
from sqlmodel import Column, Field


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out: SQLite returns naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time; store UTC."""
        del dialect
        if value is not None and value.utcoffset() is None:
            raise ValueError(f"a time must carry a time zone, got {value.isoformat()}")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time as aware UTC."""
        del dialect
        if value is None or value.utcoffset() is not None:
            return value
        return value.replace(tzinfo=UTC)


def is_instant(value: datetime) -> bool:
    """Tell whether an aware time can be written in UTC: a few hours at either end of the calendar cannot.

    >>> is_instant(datetime(2026, 11, 20, tzinfo=UTC))
    True
    """
    try:
        value.astimezone(UTC)
    except OverflowError:
        return False
    return True


#: A JSON document; its shape is a dataclass of `feedback_sdk.types` or `core`, read back through it.
Document = dict[str, Any]


def time_column(*, nullable: bool = False, index: bool = False) -> Any:  # noqa: ANN401  # Field's own return type
    return Field(sa_column=Column(UtcDateTime, nullable=nullable, index=index), default=None)


def json_column(*, nullable: bool = False) -> Any:  # noqa: ANN401  # Field's own return type
    return Field(sa_column=Column(JSON(none_as_null=True), nullable=nullable), default=None)
