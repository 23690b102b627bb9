"""the policy: budgets, routes, duplicates, second looks.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from queue_server.models import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOVED = ("label_studio_project_id", "label_studio_view_id", "label_studio_controls", "label_studio_error")
_MOVED_TIMES = ("setup_lease_until", "pulled_until", "pulled_at", "pull_lease_until")


def upgrade() -> None:
    """Apply."""
    _make_tables()
    _move_targets()
    with op.batch_alter_table("policy_version") as table:
        table.add_column(sa.Column("budget", sa.JSON(none_as_null=True), nullable=True))
        table.add_column(sa.Column("near_duplicates", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("image") as table:
        table.add_column(sa.Column("perceptual_hash", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("quality", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("sample") as table:
        table.add_column(sa.Column("rule_tags", sa.JSON(none_as_null=True), nullable=True))
        table.add_column(sa.Column("stream_position", sa.Integer(), nullable=True))
        table.add_column(sa.Column("duplicate_of", sa.Integer(), nullable=True))
        table.add_column(sa.Column("collapsed", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("shares", sa.JSON(none_as_null=True), nullable=True))
        table.add_column(sa.Column("held_in", sa.Integer(), nullable=True))
        table.create_foreign_key("fk_sample_duplicate_of", "sample", ["duplicate_of"], ["id"])
        table.create_foreign_key("fk_sample_held_in", "budget_period", ["held_in"], ["id"])
        table.create_index("ix_sample_duplicate_of", ["duplicate_of"])
        table.create_index("ix_sample_held_in", ["held_in"])
    op.create_index("ix_feedback_project_reporter", "feedback", ["project_id", "reporter", "received_at"])
    with op.batch_alter_table("labeling_task") as table:
        table.add_column(sa.Column("look", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("rank", sa.Float(), nullable=False, server_default="0"))
        table.add_column(sa.Column("route", sa.String(length=200), nullable=True))
        table.add_column(sa.Column("tab", sa.String(length=100), nullable=True))
        table.add_column(sa.Column("is_blind", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("annotators", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("tags", sa.JSON(none_as_null=True), nullable=True))
    op.execute("UPDATE labeling_task SET rank = priority")
    with op.batch_alter_table("annotation") as table:
        table.add_column(sa.Column("look", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("is_blind", sa.Boolean(), nullable=False, server_default=sa.false()))


def _make_tables() -> None:
    op.create_table(
        "label_studio_target",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("label_studio_project_id", sa.Integer(), nullable=True),
        sa.Column("label_studio_view_id", sa.Integer(), nullable=True),
        sa.Column("tabs", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("controls", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("setup_lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("pulled_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("pulled_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("pull_lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("project_id", "title"),
    )
    op.create_table(
        "stream",
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("name", sa.String(length=200), primary_key=True),
        sa.Column("arrived", sa.Integer(), nullable=False),
    )
    op.create_table(
        "budget_period",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("account", sa.String(length=300), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("starts_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ends_at", UtcDateTime(timezone=True), nullable=False, index=True),
        sa.Column("tasks", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("settled_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("shares", sa.JSON(none_as_null=True), nullable=True),
        sa.UniqueConstraint("project_id", "account", "period", "starts_at"),
    )
    op.create_table(
        "frozen_figure",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=100), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=220), nullable=False),
        sa.Column("starts_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=False),
        sa.Column("frozen_at", UtcDateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("project_id", "rule", "model_version", "name", "policy_version", "starts_at"),
    )
    op.create_table(
        "reporter",
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("name", sa.String(length=200), primary_key=True),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(timezone=True), nullable=False),
    )


def _move_targets() -> None:
    """Give each project's place in Label Studio a row of its own."""
    op.execute(
        "INSERT INTO label_studio_target (project_id, title, label_studio_project_id, label_studio_view_id, controls,"
        " error, setup_lease_until, pulled_until, pulled_at, pull_lease_until, created_at)"
        " SELECT id, label_studio_title, label_studio_project_id, label_studio_view_id, label_studio_controls,"
        " label_studio_error, setup_lease_until, pulled_until, pulled_at, pull_lease_until, created_at FROM project"
        " WHERE label_studio_project_id IS NOT NULL"
    )
    with op.batch_alter_table("project") as table:
        for name in (*_MOVED, *_MOVED_TIMES):
            table.drop_column(name)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("annotation") as table:
        table.drop_column("is_blind")
        table.drop_column("look")
    with op.batch_alter_table("labeling_task") as table:
        for name in ("tags", "annotators", "is_blind", "tab", "route", "rank", "look"):
            table.drop_column(name)
    op.drop_index("ix_feedback_project_reporter", "feedback")
    with op.batch_alter_table("sample") as table:
        table.drop_index("ix_sample_held_in")
        table.drop_index("ix_sample_duplicate_of")
        table.drop_constraint("fk_sample_held_in", type_="foreignkey")
        table.drop_constraint("fk_sample_duplicate_of", type_="foreignkey")
        for name in ("held_in", "shares", "collapsed", "duplicate_of", "stream_position", "rule_tags"):
            table.drop_column(name)
    with op.batch_alter_table("image") as table:
        table.drop_column("quality")
        table.drop_column("perceptual_hash")
    with op.batch_alter_table("policy_version") as table:
        table.drop_column("near_duplicates")
        table.drop_column("budget")
    _move_back()
    for name in ("reporter", "frozen_figure", "budget_period", "stream", "label_studio_target"):
        op.drop_table(name)


def _move_back() -> None:
    with op.batch_alter_table("project") as table:
        table.add_column(sa.Column("label_studio_project_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("label_studio_view_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("label_studio_controls", sa.JSON(none_as_null=True), nullable=True))
        table.add_column(sa.Column("label_studio_error", sa.String(), nullable=True))
        for name in _MOVED_TIMES:
            table.add_column(sa.Column(name, UtcDateTime(timezone=True), nullable=True))
    pairs = ("label_studio_project_id", "label_studio_view_id", *_MOVED_TIMES)
    moved = {name: name for name in pairs} | {"label_studio_controls": "controls", "label_studio_error": "error"}
    for column, source in moved.items():
        op.execute(
            f"UPDATE project SET {column} = (SELECT {source} FROM label_studio_target AS target"  # noqa: S608  # our own names
            " WHERE target.project_id = project.id AND target.title = project.label_studio_title)"
        )
