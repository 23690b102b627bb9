"""Train a counting model: `python -m examples.pill_counter.train --trays 6 --model-version v1 --out v1.model`.

It learns from drawn trays, from the starter part of a folder of labeled photos, from the queue server's COCO export,
or from several of them together.
"""

import argparse
import sys
import time
from pathlib import Path

from examples.pill_counter import photos
from examples.pill_counter.exports import ExportError, read_export
from examples.pill_counter.model import CountingModel, ModelError
from examples.pill_counter.photos import Photo, PhotoError
from examples.pill_counter.reports import say, write_report

#: an export with fewer photos is too small to learn from alone
_SMALL_EXPORT = 40
_FIRST_TRAYS = 6


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        report = _train(options)
    except (ModelError, PhotoError, ExportError) as error:
        say(f"train: {error}")
        return 1
    say(f"{report['model_version']}: {report['photos']} photos, {report['objects']} objects, {report['seconds']} s")
    if options.json:
        write_report(report, to=options.json)
    return 0


def _train(options: argparse.Namespace) -> dict[str, object]:
    lessons, added = _lessons(options)
    start = time.perf_counter()
    model = CountingModel.train(lessons, model_version=options.model_version, seed=options.seed)
    seconds = time.perf_counter() - start
    model.save(options.out)
    return {
        "model_version": model.model_version,
        "file": str(options.out),
        "photos": len(lessons),
        "objects": sum(len(photo.truth or ()) for photo in lessons),
        "added_trays": added,
        "labels": list(model.labels),
        "seconds": round(seconds, 2),
    }


def _lessons(options: argparse.Namespace) -> tuple[list[Photo], int]:
    """Return the photos to learn from, and how many trays were added because the export is small."""
    lessons = read_export(options.export) if options.export else []
    added = 0
    if options.export and not (options.trays or options.images) and len(lessons) < _SMALL_EXPORT:
        added = _FIRST_TRAYS
        say(f"the export is small ({len(lessons)} photos): {added} drawn trays, those of the first model, are added")
    if options.images:
        starter = photos.split(photos.folder(options.images)).starter
        lessons += starter.photos(len(starter.names))
    number = options.trays or added
    lessons += photos.drawn_trays(photos.TRAINING_SEED + 1000 * options.seed, number=number).photos(number)
    return lessons, added


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train", description="Train a counting model.")
    parser.add_argument("--trays", type=int, default=0, metavar="N", help="learn from N drawn trays")
    parser.add_argument("--images", type=Path, metavar="DIR", help="learn from the starter part of labeled photos")
    parser.add_argument("--export", type=Path, metavar="DIR", help="learn from train and val of a COCO export")
    parser.add_argument("--model-version", required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE|-", help="write what was learned from")
    return parser


if __name__ == "__main__":
    sys.exit(main())
