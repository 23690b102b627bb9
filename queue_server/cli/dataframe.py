"""The command that writes a row of each sample, for programs that look at data."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from queue_server.cli.opening import Moment, chosen, now, project_option
from queue_server.reports import Narrowed
from queue_server.reports.dataframe import DataFrame, column_mapping, dataframe_of
from queue_server.store.engine import reading

Page = Sequence[Mapping[str, object]]


@click.command("dataframe")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@project_option
@click.option("--model-version", help="The samples of this version alone.")
@click.option("--since", type=Moment(), help="Captured from then on: a time, or how long ago.  [default: 30d]")
@click.option("--slice", "slice_name", help="The samples of this slice alone.")
def dataframe(
    file: Path, project_name: str | None, model_version: str | None, since: datetime | None, slice_name: str | None
) -> None:
    """Write a row of each sample into FILE, *.parquet or *.csv; what its columns are stands in FILE.columns.json."""
    write = _WRITERS.get(file.suffix)
    if write is None:
        raise click.BadParameter(f"FILE must end in {' or '.join(_WRITERS)}, got {file.name}")
    backend, _, project_id = chosen(project_name)
    narrowed = Narrowed(model_version=model_version, since=since, slice=slice_name)
    with reading(backend.engine) as session:
        made = dataframe_of(session, narrowed, project_id=project_id, now=now())
        filled: set[str] = set()
        count = write(file, made, _noting(made.pages, filled))
    mapping = column_mapping(made, frozenset(filled))
    Path(f"{file}.columns.json").write_text(json.dumps(mapping, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{count} samples in {file}")


def _noting(pages: Iterable[Page], filled: set[str]) -> Iterator[Page]:
    """Hand the pages on and note which columns hold anything: programs stumble over empty ones."""
    for page in pages:
        for row in page:
            filled |= {name for name, value in row.items() if value is not None}
        yield page


def _write_csv(file: Path, made: DataFrame, pages: Iterable[Page]) -> int:
    count = 0
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, made.columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for page in pages:
            count += len(page)
            writer.writerows(map(_with_time_in_one_form, page))
    return count


def _with_time_in_one_form(row: Mapping[str, object]) -> Mapping[str, object]:
    """Return a row whose time has its microseconds even where there are none: readers expect one form."""
    at = row["captured_at"]
    return {**row, "captured_at": at.isoformat(timespec="microseconds")} if isinstance(at, datetime) else row


def _write_parquet(file: Path, made: DataFrame, pages: Iterable[Page]) -> int:
    arrow, parquet = _pyarrow()
    kinds = {name: arrow.float64() if name in made.numbers else arrow.string() for name in made.columns}
    schema = arrow.schema(list((kinds | {"captured_at": arrow.timestamp("us", tz="UTC")}).items()))
    count = 0
    with parquet.ParquetWriter(file, schema) as writer:
        for page in pages:
            count += len(page)
            writer.write_table(arrow.Table.from_pylist([dict(row) for row in page], schema=schema))
    return count


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise click.ClickException('Parquet needs a package more: pip install "lookswrong[parquet]"') from error
    return pyarrow, parquet


_WRITERS: dict[str, Callable[[Path, DataFrame, Iterable[Page]], int]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
}

COMMANDS = (dataframe,)
