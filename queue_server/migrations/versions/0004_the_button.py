"""the button: origins of pages, what was shown.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from queue_server.models import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("project", sa.Column("origins", sa.JSON(none_as_null=True), nullable=True))
    silence = sa.Column("silence_affirms", sa.String(length=20), nullable=False, server_default="always")
    op.add_column("policy_version", silence)
    op.add_column("sample", sa.Column("shown_at", UtcDateTime(timezone=True), nullable=True))
    op.create_table(
        "parked_showing",
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("sample_id", sa.Uuid(), primary_key=True),
        sa.Column("shown_at", UtcDateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("parked_showing")
    with op.batch_alter_table("sample") as table:
        table.drop_column("shown_at")
    with op.batch_alter_table("policy_version") as table:
        table.drop_column("silence_affirms")
    with op.batch_alter_table("project") as table:
        table.drop_column("origins")
