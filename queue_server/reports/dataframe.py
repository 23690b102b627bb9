"""A table of samples with what each column is, for programs that ask: Evidently's `DataDefinition` among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server.reports.narrowed import Narrowed, matured
from queue_server.store import dataframe

#: they tell how a sample was chosen or who it is of: nothing that drifts
_NOT_DATA = {"subject", "state", "reason", "inclusion_probability", "capture_probability", "stands_for"}


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFrame:
    """A table that is read as it is written."""

    columns: tuple[str, ...]
    #: rows by column; a value that is not known is None
    pages: Iterator[Sequence[Mapping[str, object]]]
    numbers: frozenset[str]
    task: Task


def dataframe_of(session: Session, narrowed: Narrowed, *, project_id: int, now: datetime) -> DataFrame:
    """Return the samples, those of a version where one is named. Raises PolicyError for a slice that is not there."""
    wanted = matured(session, narrowed, project_id=project_id, now=now)
    if narrowed.model_version is not None:
        wanted = replace(wanted, model_version=narrowed.model_version)
    return DataFrame(
        columns=dataframe.names(session, project_id),
        pages=dataframe.pages(session, wanted),
        numbers=frozenset((*dataframe.NUMBERS, *dataframe.metric_names(session, project_id))),
        task=wanted.task,
    )


def column_mapping(made: DataFrame, filled: frozenset[str]) -> dict[str, object]:
    """Return what the columns with any value are; of classification also which one is to be held against which."""
    texts = [name for name in dataframe.TEXTS if name in filled - _NOT_DATA]
    mapping: dict[str, object] = {
        "data_definition": {
            "id_column": "sample_id",
            "timestamp": "captured_at",
            "numerical_columns": [name for name in made.columns if name in made.numbers & filled - _NOT_DATA],
            "categorical_columns": texts,
        }
    }
    if made.task is Task.CLASSIFICATION and {"predicted", "annotated"} <= filled:
        mapping |= {"target": "annotated", "prediction_labels": "predicted"}
    return mapping
