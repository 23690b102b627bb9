"""metrics of images, predictions and annotations.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_METRICS = (
    "area",
    "aspect_ratio",
    "brightness",
    "contrast",
    "sharpness",
    "blur",
    "red",
    "green",
    "blue",
    "dark_score",
    "light_score",
    "odd_aspect_score",
    "low_information_score",
    "blurry_score",
    "random",
    "grayscale",
    "exact_duplicate",
    "near_duplicate",
    "novelty",
    "diversity",
    "entropy",
    "least_confidence",
    "margin",
    "variance",
    "mean_object_confidence",
    "object_count",
    "frame_density",
    "annotated_count",
    "annotated_labels",
    "annotated_density",
    "annotated_area_px",
    "annotated_area_percent",
    "smallest_area_percent",
    "largest_area_percent",
    "annotated_aspect_ratio",
    "border_closeness",
    "duplicate_overlap",
    "label_quality",
    "shape_closeness",
    "polygon_similarity",
    "missing_object",
    "inconsistent_label",
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "sample_metric",
        sa.Column("sample_pk", sa.Integer(), sa.ForeignKey("sample.id"), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("measured", sa.Integer(), nullable=False),
        sa.Column("custom_set", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=True) for name in _METRICS),
    )
    op.create_index("ix_sample_metric_project_custom", "sample_metric", ["project_id", "custom_set"])
    op.create_table(
        "custom_metric",
        sa.Column("sample_pk", sa.Integer(), sa.ForeignKey("sample.id"), primary_key=True),
        sa.Column("name", sa.String(length=100), primary_key=True),
        sa.Column("project_id", sa.Integer(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
    )
    op.create_index("ix_custom_metric_project_name_value", "custom_metric", ["project_id", "name", "value"])
    op.add_column("image", sa.Column("measured", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_image_perceptual_hash", "image", ["perceptual_hash"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_image_perceptual_hash", "image")
    with op.batch_alter_table("image") as table:
        table.drop_column("measured")
    op.drop_table("custom_metric")
    op.drop_table("sample_metric")
