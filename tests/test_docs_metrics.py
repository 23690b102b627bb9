"""docs/metrics.md tells every metric and flag as the code has it."""

import re
from pathlib import Path

import pytest

from queue_server.core.metrics import METRICS
from queue_server.core.metrics.custom import custom_metric
from queue_server.core.metrics.flags import FLAGS
from queue_server.core.metrics.outliers import LEAST_VALUES
from queue_server.metrics.compute import _BATCH
from queue_server.metrics.relations import MOST_COMPARED

DOCS = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text()
TABLES = {"image": "## Of images", "prediction": "## Of predictions", "annotation": "## Of annotations"}


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of a page's tables by the name in their first cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    return {first.strip("`"): rest for first, *rest in cells}


def section(heading: str) -> str:
    return DOCS.partition(heading)[2].partition("\n## ")[0]


@pytest.mark.parametrize("of", TABLES)
def test_table_holds_each_metric_as_it_is(of: str) -> None:
    expected = {
        name: [
            metric.unit,
            *("" if bound is None else f"{bound:g}" for bound in (metric.low, metric.high)),
            metric.words + (" *" if metric.is_relative else ""),
        ]
        for name, metric in METRICS.items()
        if metric.of == of
    }
    assert rows(section(TABLES[of])) == expected


def test_table_holds_each_flag_as_it_is() -> None:
    found = rows(section("## What is odd, what is wrong"))
    assert found == {name: [flag.words] for name, flag in FLAGS.items()}


@pytest.mark.parametrize(
    ("sentence", "number"),
    [("fewer than (\\d+) values", LEAST_VALUES), ("latest (\\d+) of", MOST_COMPARED), ("batches of (\\d+)", _BATCH)],
)
def test_number_in_a_sentence_is_the_codes(sentence: str, number: int) -> None:
    assert re.findall(sentence, DOCS) == [str(number)]


def test_metrics_of_the_example_are_metrics() -> None:
    example = re.search(r"```python\n(.*?)```", DOCS, re.DOTALL)
    names: dict[str, object] = {}
    exec(example[1], names)
    found = {name: custom_metric(name, names[name]).of for name in ("glare", "widest", "keypoints")}
    assert list(found.values()) == list(TABLES)
