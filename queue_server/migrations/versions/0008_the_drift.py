"""pinned references of drift.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from queue_server.models import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "drift_reference",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=False),
        sa.Column("reference_version", sa.String(length=200), nullable=False),
        sa.Column("since", UtcDateTime(timezone=True), nullable=True),
        sa.Column("until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("project_id", "model_version"),
    )
    op.create_index("ix_sample_project_version_captured", "sample", ["project_id", "model_version", "captured_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_sample_project_version_captured", "sample")
    op.drop_table("drift_reference")
