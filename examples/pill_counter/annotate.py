"""Play the annotator: `python -m examples.pill_counter.annotate --project 1 --truth simulated.json ...`.

It opens every task of a Label Studio project that has no annotation yet, corrects the pre-annotation to the truth
that simulate wrote, and submits it. Where the truth is not known it accepts the pre-annotation as it is.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from examples.pill_counter.label_studio_api import Json, LabelStudioApi, LabelStudioApiError
from examples.pill_counter.regions import BoxControl, LabelConfigError, Truth, box_control, corrected
from examples.pill_counter.reports import say, write_report
from feedback_sdk import Box

_SECONDS_TO_LOOK, _SECONDS_PER_CHANGE = 2.0, 3.0


class TruthError(Exception):
    """A truth file that cannot be used."""


def main(arguments: list[str] | None = None) -> int:
    """Annotate as the command line says; return the exit status."""
    options = _parser().parse_args(arguments)
    api = LabelStudioApi(options.label_studio_url, options.api_key)
    try:
        report = annotate(api, options.project, truths=read_truths(options.truth))
    except (LabelStudioApiError, LabelConfigError, TruthError) as error:
        say(f"annotate: {error}")
        return 1
    write_report(report, to=options.json)
    return 0


def annotate(api: LabelStudioApi, project_id: int, *, truths: Mapping[str, Truth | None]) -> dict[str, int]:
    """Annotate every open task of a project; return how many were corrected, accepted and left.

    Left are tasks that the inbox hides (`inbox` is "no") and tasks of samples that the truth does not name.
    """
    control = box_control(api.label_config(project_id))
    counts = {"annotated": 0, "corrected": 0, "accepted": 0, "left": 0}
    task_ids = list(api.open_task_ids(project_id))
    for number, task_id in enumerate(task_ids, start=1):
        _annotate_task(api, task_id, truths=truths, control=control, counts=counts)
        if number % 10 == 0 or number == len(task_ids):
            say(f"{number} of {len(task_ids)} tasks, {counts}")
    return counts


def read_truths(path: Path) -> dict[str, Truth | None]:
    """Read the truth by sample id from what simulate wrote."""
    try:
        truth = json.loads(path.read_text(encoding="utf-8"))["truth"]
        return {sample_id: None if entry is None else _truth(entry) for sample_id, entry in truth.items()}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TruthError(
            f"the truth file must be one that simulate wrote, got {type(error).__name__}: {error}"
        ) from None


def _annotate_task(
    api: LabelStudioApi,
    task_id: int,
    *,
    truths: Mapping[str, Truth | None],
    control: BoxControl,
    counts: dict[str, int],
) -> None:
    task = api.task(task_id)
    described = cast("Json", task["data"])
    sample_id = str(described.get("sample_id"))
    if sample_id not in truths or described.get("inbox") == "no":
        counts["left"] += 1
        return
    proposed, truth = _proposed(task), truths[sample_id]
    result = proposed if truth is None else corrected(proposed, truth, control=control)
    changes = sum(region not in proposed for region in result) + sum(region not in result for region in proposed)
    api.annotate(task_id, result=result, lead_time_seconds=_SECONDS_TO_LOOK + _SECONDS_PER_CHANGE * changes)
    counts["annotated"] += 1
    counts["corrected" if changes else "accepted"] += 1


def _proposed(task: Json) -> list[Json]:
    """Return the regions of the newest pre-annotation."""
    predictions = cast("list[Json]", task.get("predictions") or [])
    newest = max(predictions, key=lambda prediction: cast("int", prediction["id"]), default=None)
    return [] if newest is None else cast("list[Json]", newest["result"])


def _truth(entry: Json) -> Truth:
    width, height = cast("list[int]", entry["image_size"])
    boxes = tuple(Box(**box) for box in cast("list[dict[str, object]]", entry["boxes"]))  # type: ignore[arg-type]  # Box checks
    return Truth(boxes=boxes, image_size=(width, height))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="annotate", description="Play an exact annotator in Label Studio.")
    parser.add_argument("--label-studio-url", required=True)
    parser.add_argument("--api-key", required=True, help="a legacy token or a personal access token")
    parser.add_argument("--project", type=int, required=True, metavar="ID")
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE", help="the JSON file of simulate")
    parser.add_argument("--json", default="-", metavar="FILE|-")
    return parser


if __name__ == "__main__":
    sys.exit(main())
