"""the loop.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

import queue_server.models

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "image",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "project",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("labels", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("multi_label", sa.Boolean(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("webhook_secret", sa.String(), nullable=False),
        sa.Column("label_studio_title", sa.String(length=200), nullable=False),
        sa.Column("label_studio_project_id", sa.Integer(), nullable=True),
        sa.Column("label_studio_view_id", sa.Integer(), nullable=True),
        sa.Column("label_studio_controls", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("label_studio_error", sa.String(), nullable=True),
        sa.Column("setup_lease_until", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("pulled_until", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("pulled_at", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("pull_wanted_at", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("pull_lease_until", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kid", sa.String(length=16), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("token_key_encrypted", sa.String(), nullable=False),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kid"),
    )
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_key_project_id"), ["project_id"], unique=False)

    op.create_table(
        "export",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("manifest", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "export_id"),
    )
    op.create_table(
        "model_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("trained_on", sa.Uuid(), nullable=True),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_table(
        "policy_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("confirmation_window_seconds", sa.Float(), nullable=False),
        sa.Column("rules", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "version"),
    )
    op.create_table(
        "sample",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Uuid(), nullable=False),
        sa.Column("payload_sha256", sa.String(), nullable=False),
        sa.Column("captured_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("received_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("tags", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("extra", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("stream", sa.String(length=200), nullable=True),
        sa.Column("capture_probability", sa.Float(), nullable=False),
        sa.Column("stands_for", sa.Integer(), nullable=False),
        sa.Column("embedding", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("sent_image_sha256", sa.String(length=64), nullable=True),
        sa.Column("image_sha256", sa.String(), nullable=True),
        sa.Column("model_version", sa.String(length=200), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("is_disputed", sa.Boolean(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=False),
        sa.Column("window_ends_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("decide_after", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("request_reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["image_sha256"],
            ["image.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "sample_id"),
    )
    with op.batch_alter_table("sample", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sample_decide_after"), ["decide_after"], unique=False)
        batch_op.create_index(batch_op.f("ix_sample_image_sha256"), ["image_sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_sample_model_version"), ["model_version"], unique=False)
        batch_op.create_index("ix_sample_project_received", ["project_id", "received_at", "id"], unique=False)
        batch_op.create_index("ix_sample_project_state", ["project_id", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_sample_subject"), ["subject"], unique=False)

    op.create_table(
        "split_assignment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("group_key", sa.String(length=300), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "group_key"),
    )
    op.create_table(
        "annotation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("sample_pk", sa.Integer(), nullable=False),
        sa.Column("label_studio_annotation_id", sa.Integer(), nullable=False),
        sa.Column("annotator", sa.String(), nullable=False),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("pulled_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("lead_time_seconds", sa.Float(), nullable=True),
        sa.Column("is_skipped", sa.Boolean(), nullable=False),
        sa.Column("is_ground_truth", sa.Boolean(), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("model_difference", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("user_difference", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("fault", sa.String(), nullable=True),
        sa.Column("deleted_at", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sample_pk"],
            ["sample.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "label_studio_annotation_id", "updated_at"),
    )
    with op.batch_alter_table("annotation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_annotation_sample_pk"), ["sample_pk"], unique=False)

    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sample_pk", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=False),
        sa.Column("rules", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("budget", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("decided_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_pk"],
            ["sample.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_sample_pk"), ["sample_pk"], unique=False)

    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("feedback_id", sa.Uuid(), nullable=False),
        sa.Column("sample_id", sa.Uuid(), nullable=False),
        sa.Column("sample_pk", sa.Integer(), nullable=True),
        sa.Column("payload_sha256", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("correction", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("reporter", sa.String(length=200), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("given_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("received_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("fault", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sample_pk"],
            ["sample.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "feedback_id"),
    )
    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feedback_sample_id"), ["sample_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_feedback_sample_pk"), ["sample_pk"], unique=False)

    op.create_table(
        "history_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sample_pk", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_pk"],
            ["sample.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("history_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_history_entry_sample_pk"), ["sample_pk"], unique=False)

    op.create_table(
        "labeling_task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("sample_pk", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("is_stale", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("is_withdrawal_wanted", sa.Boolean(), nullable=False),
        sa.Column("available_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("label_studio_project_id", sa.Integer(), nullable=True),
        sa.Column("label_studio_task_id", sa.Integer(), nullable=True),
        sa.Column("pushed_at", queue_server.models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sample_pk"],
            ["sample.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("label_studio_project_id", "label_studio_task_id"),
        sa.UniqueConstraint("sample_pk"),
    )
    with op.batch_alter_table("labeling_task", schema=None) as batch_op:
        batch_op.create_index("ix_labeling_task_claim", ["project_id", "state", "available_at"], unique=False)

    op.create_table(
        "prediction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sample_pk", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("payload_sha256", sa.String(), nullable=False),
        sa.Column("is_shown", sa.Boolean(), nullable=False),
        sa.Column("received_at", queue_server.models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_pk"],
            ["sample.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sample_pk", "model_version"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("prediction")
    with op.batch_alter_table("labeling_task", schema=None) as batch_op:
        batch_op.drop_index("ix_labeling_task_claim")

    op.drop_table("labeling_task")
    with op.batch_alter_table("history_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_history_entry_sample_pk"))

    op.drop_table("history_entry")
    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feedback_sample_pk"))
        batch_op.drop_index(batch_op.f("ix_feedback_sample_id"))

    op.drop_table("feedback")
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_decision_sample_pk"))

    op.drop_table("decision")
    with op.batch_alter_table("annotation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_annotation_sample_pk"))

    op.drop_table("annotation")
    op.drop_table("split_assignment")
    with op.batch_alter_table("sample", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sample_subject"))
        batch_op.drop_index("ix_sample_project_state")
        batch_op.drop_index("ix_sample_project_received")
        batch_op.drop_index(batch_op.f("ix_sample_model_version"))
        batch_op.drop_index(batch_op.f("ix_sample_image_sha256"))
        batch_op.drop_index(batch_op.f("ix_sample_decide_after"))

    op.drop_table("sample")
    op.drop_table("policy_version")
    op.drop_table("model_version")
    op.drop_table("export")
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_key_project_id"))

    op.drop_table("api_key")
    op.drop_table("project")
    op.drop_table("image")
