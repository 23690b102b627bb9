"""Judge models by their counts: `python -m examples.pill_counter.evaluate v1.model v2.model --json -`.

The photos are new to every model: trays of seeds that neither training nor simulate draws, or the holdout part of a
folder (`photos.split`).
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from examples.pill_counter import photos
from examples.pill_counter.model import CountingModel, ModelError
from examples.pill_counter.photos import Photo, PhotoError
from examples.pill_counter.reports import say, write_report


def main(arguments: list[str] | None = None) -> int:
    """Judge as the command line says; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        holdout = _holdout(options)
        loaded = [CountingModel.load(file) for file in options.models]
        models = {model.model_version: judge(model, holdout) for model in loaded}
    except (ModelError, PhotoError) as error:
        say(f"evaluate: {error}")
        return 1
    for version, scores in models.items():
        say(f"{version}: mean error {scores['mae']}, exactly right {scores['exact']}, on {len(holdout)} photos")
    write_report(models, to=options.json)
    return 0


def judge(model: CountingModel, holdout: Sequence[Photo]) -> dict[str, float]:
    """Return the scores of a model's counts on photos with truth.

    `mae` is the mean absolute error, `exact` the share of right counts, `bias` the mean error (below 0: too few),
    `confidence_auc` the chance that a right count has a higher confidence than a wrong one (left out when all counts
    are right or all are wrong).
    """
    start = time.perf_counter()
    predictions = [model.predict(photo.image_bytes) for photo in holdout]
    seconds = time.perf_counter() - start
    errors = np.array(
        [(said.count or 0) - len(photo.truth or ()) for said, photo in zip(predictions, holdout, strict=True)]
    )
    sure = [said.confidence or 0.0 for said in predictions]
    is_right = errors == 0
    scores = {
        "photos": len(holdout),
        "mae": round(float(np.abs(errors).mean()), 3),
        "exact": round(float(is_right.mean()), 3),
        "bias": round(float(errors.mean()), 3),
        "seconds_per_photo": round(seconds / len(holdout), 3),
    }
    if 0 < is_right.sum() < len(errors):
        scores["confidence_auc"] = round(float(roc_auc_score(is_right, sure)), 3)
    return scores


def _holdout(options: argparse.Namespace) -> list[Photo]:
    if options.coins:
        album, number = photos.coins(), 1
    elif options.images:
        album = photos.split(photos.folder(options.images)).holdout
        number = min(options.photos or len(album.names), len(album.names))
    else:
        number = options.photos or 100
        album = photos.drawn_trays(photos.HOLDOUT_SEED, number=number)
    known = [photo for photo in album.photos(number) if photo.truth is not None]
    if not known:
        raise PhotoError("the holdout must hold photos with labels, got none")
    return known


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="evaluate", description="Judge counting models on photos new to them.")
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--photos", type=int, metavar="N", help="photos (trays: 100; a folder: its whole holdout)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--images", type=Path, metavar="DIR", help="judge on the holdout part of labeled photos")
    source.add_argument("--coins", action="store_true", help="judge on the photo of 24 coins")
    parser.add_argument("--json", default="-", metavar="FILE|-")
    return parser


if __name__ == "__main__":
    sys.exit(main())
