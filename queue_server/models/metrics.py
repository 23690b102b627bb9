"""Numbers that tell what samples look like, as columns that can be filtered and sorted; see `core.metrics.METRICS`."""

from typing import ClassVar

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel


class SampleMetric(SQLModel, table=True):
    """The built-in metrics of a sample; None: cannot be told, or not yet."""

    __tablename__: ClassVar[str] = "sample_metric"
    __table_args__ = (Index("ix_sample_metric_project_custom", "project_id", "custom_set"),)

    sample_pk: int = Field(foreign_key="sample.id", primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    #: the version of the definitions, see `core.metrics.VERSION`
    measured: int
    #: for which set of custom metrics it was looked at last; 0: none since it came or changed
    custom_set: int = Field(default=0, sa_type=BigInteger)

    area: float | None = None
    aspect_ratio: float | None = None
    brightness: float | None = None
    contrast: float | None = None
    sharpness: float | None = None
    blur: float | None = None
    red: float | None = None
    green: float | None = None
    blue: float | None = None
    dark_score: float | None = None
    light_score: float | None = None
    odd_aspect_score: float | None = None
    low_information_score: float | None = None
    blurry_score: float | None = None
    random: float | None = None
    grayscale: float | None = None
    exact_duplicate: float | None = None
    near_duplicate: float | None = None
    novelty: float | None = None
    diversity: float | None = None
    entropy: float | None = None
    least_confidence: float | None = None
    margin: float | None = None
    variance: float | None = None
    mean_object_confidence: float | None = None
    object_count: float | None = None
    frame_density: float | None = None
    annotated_count: float | None = None
    annotated_labels: float | None = None
    annotated_density: float | None = None
    annotated_area_px: float | None = None
    annotated_area_percent: float | None = None
    smallest_area_percent: float | None = None
    largest_area_percent: float | None = None
    annotated_aspect_ratio: float | None = None
    border_closeness: float | None = None
    duplicate_overlap: float | None = None
    label_quality: float | None = None
    shape_closeness: float | None = None
    polygon_similarity: float | None = None
    missing_object: float | None = None
    inconsistent_label: float | None = None


class CustomMetric(SQLModel, table=True):
    """What a metric of the user's own said of a sample; None: it raised."""

    __tablename__: ClassVar[str] = "custom_metric"
    __table_args__ = (Index("ix_custom_metric_project_name_value", "project_id", "name", "value"),)

    sample_pk: int = Field(foreign_key="sample.id", primary_key=True)
    name: str = Field(primary_key=True, max_length=100)
    project_id: int = Field(foreign_key="project.id")
    value: float | None = None
