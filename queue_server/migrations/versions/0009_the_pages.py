"""figures that pages show, and indexes for the queue's filters.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from queue_server.models import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_sample_project_state_received": ["project_id", "state", "received_at", "id"],
    "ix_sample_project_version_received": ["project_id", "model_version", "received_at", "id"],
    "ix_sample_project_reason_received": ["project_id", "reason", "received_at", "id"],
}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "figure_snapshot",
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("name", sa.String(length=50), primary_key=True),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("made_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("due_at", UtcDateTime(timezone=True), nullable=False),
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "sample", columns)


def downgrade() -> None:
    """Undo."""
    for name in _INDEXES:
        op.drop_index(name, "sample")
    op.drop_table("figure_snapshot")
