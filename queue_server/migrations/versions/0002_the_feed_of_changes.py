"""the feed of changes.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("sample", sa.Column("outcome", sa.String(), nullable=True))
    with op.batch_alter_table("history_entry", schema=None) as batch_op:
        batch_op.add_column(sa.Column("project_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("verdict", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("outcome", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("position", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE history_entry SET project_id = "
        "(SELECT sample.project_id FROM sample WHERE sample.id = history_entry.sample_pk)"
    )
    with op.batch_alter_table("history_entry", schema=None) as batch_op:
        batch_op.alter_column("project_id", existing_type=sa.Integer(), nullable=False)
        batch_op.create_foreign_key("fk_history_entry_project_id", "project", ["project_id"], ["id"])
        batch_op.create_unique_constraint("uq_history_entry_position", ["project_id", "position"])
        batch_op.create_index("ix_history_entry_project_at", ["project_id", "at", "position"], unique=False)
        batch_op.create_index(
            "ix_history_entry_unpublished",
            ["project_id", "id"],
            unique=False,
            sqlite_where=sa.text("position IS NULL"),
            postgresql_where=sa.text("position IS NULL"),
        )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("history_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_history_entry_unpublished")
        batch_op.drop_index("ix_history_entry_project_at")
        batch_op.drop_constraint("uq_history_entry_position", type_="unique")
        batch_op.drop_constraint("fk_history_entry_project_id", type_="foreignkey")
        batch_op.drop_column("position")
        batch_op.drop_column("outcome")
        batch_op.drop_column("verdict")
        batch_op.drop_column("project_id")
    op.drop_column("sample", "outcome")
