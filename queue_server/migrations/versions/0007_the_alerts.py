"""alerts and the signal to retrain.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from queue_server.models import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OF_A_PROJECT = ("channels", "alerts", "retraining")


def upgrade() -> None:
    """Apply."""
    for name in _OF_A_PROJECT:
        op.add_column("project", sa.Column(name, sa.JSON(none_as_null=True), nullable=True))
    op.add_column("project", sa.Column("retraining_due_at", UtcDateTime(timezone=True), nullable=True))
    _make_alerts()
    op.create_table(
        "retraining_signal",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("baseline", sa.String(length=200), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("export_id", sa.Uuid(), nullable=True),
        sa.Column("message", sa.JSON(none_as_null=True), nullable=False),
        sa.UniqueConstraint("project_id", "baseline"),
    )
    op.create_table(
        "notification",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=50), nullable=False),
        sa.Column("message", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("available_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=1000), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("sent_at", UtcDateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("project_id", "key"),
    )
    op.create_index("ix_notification_claim", "notification", ["state", "available_at"])


def _make_alerts() -> None:
    times = ("beyond_since", "clear_since", "fired_at", "resolved_at", "acknowledged_at", "snoozed_until", "told_at")
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("rule", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("incident", sa.Integer(), nullable=False),
        sa.Column("is_firing", sa.Boolean(), nullable=False),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        *(sa.Column(name, UtcDateTime(timezone=True), nullable=True) for name in times),
        sa.Column("told_incident", sa.Integer(), nullable=False),
        *_figure(),
        sa.Column("since", UtcDateTime(timezone=True), nullable=True),
        sa.Column("model_version", sa.String(length=200), nullable=True),
        sa.Column("looked_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("fault", sa.String(length=500), nullable=True),
        sa.Column("due_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_index("ix_alert_due", "alert", ["due_at"])
    op.create_table(
        "alert_event",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("alert_id", sa.Integer(), sa.ForeignKey("alert.id"), nullable=False, index=True),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("incident", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=True),
        sa.Column("note", sa.String(length=1000), nullable=True),
        sa.Column("until", UtcDateTime(timezone=True), nullable=True),
        *_figure(),
    )


def _figure() -> tuple[sa.Column, ...]:  # type: ignore[type-arg]  # of several types
    return (
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Undo."""
    for name in ("notification", "retraining_signal", "alert_event", "alert"):
        op.drop_table(name)
    with op.batch_alter_table("project") as table:
        for name in ("retraining_due_at", *reversed(_OF_A_PROJECT)):
            table.drop_column(name)
