"""slices, model versions, references.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from queue_server.models import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "slice",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("condition", sa.String(), nullable=True),
        sa.Column("model_version", sa.String(length=200), nullable=True),
        sa.Column("since", UtcDateTime(timezone=True), nullable=True),
        sa.Column("until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_table(
        "reference",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("project_id", "model_version"),
    )
    op.create_table(
        "reference_row",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("reference_id", sa.Integer(), sa.ForeignKey("reference.id"), nullable=False),
        sa.Column("file_name", sa.String(length=500), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("labels", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("object_count", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.JSON(none_as_null=True), nullable=False),
    )
    op.create_index("ix_reference_row_reference", "reference_row", ["reference_id", "id"])
    op.add_column("model_version", sa.Column("document", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("model_version", sa.Column("updated_at", UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("model_version") as table:
        table.drop_column("updated_at")
        table.drop_column("document")
    op.drop_table("reference_row")
    op.drop_table("reference")
    op.drop_table("slice")
