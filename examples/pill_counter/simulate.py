"""Play the app and its users: `python -m examples.pill_counter.simulate --model v1.model --samples 200 ...`.

Every id, time and answer is fixed by the model version, the photo and its place in the order, so a second run sends
the same samples and the same feedback again.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np

from examples.pill_counter import photos
from examples.pill_counter.model import CountingModel, ModelError
from examples.pill_counter.photos import Album, Photo, PhotoError, open_image
from examples.pill_counter.reports import say, write_report
from examples.pill_counter.users import Answer, Outcome, answer, drawn
from feedback_sdk import FeedbackClient, Prediction
from feedback_sdk.wire import to_wire

_NAMESPACE = UUID("6f1f3f0e-6f0c-5b0a-9a53-0d4f7a3d8c11")
_FIRST_CAPTURE = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_BETWEEN_CAPTURES = timedelta(minutes=11)
_DEVICES = ("phone-a", "phone-b", "counter-camera")
_PHARMACIES = ("north", "harbour", "station")


class DeliveryError(Exception):
    """Something did not reach the queue server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One photo in the app, with what the model and the user said of it."""

    sample_id: str
    photo: Photo
    size: tuple[int, int]
    prediction: Prediction
    answer: Answer
    captured_at: datetime
    metadata: dict[str, object]


def main(arguments: list[str] | None = None) -> int:
    """Simulate as the command line says; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        report = _simulate(options)
    except (DeliveryError, ModelError, PhotoError) as error:
        say(f"simulate: {error}")
        return 1
    write_report(report, to=options.json)
    return 0


def moment(model: CountingModel, photo: Photo, *, index: int) -> Moment:
    """Return what happens at one photo."""
    sample_id = str(uuid5(_NAMESPACE, f"{model.model_version}:{photo.name}:{index}"))
    image = open_image(photo.image_bytes)
    prediction = model.predict(image)
    return Moment(
        sample_id=sample_id,
        photo=photo,
        size=image.size,
        prediction=prediction,
        answer=answer(sample_id, prediction, truth=photo.truth),
        captured_at=_FIRST_CAPTURE + index * _BETWEEN_CAPTURES,
        metadata={
            "device": _pick(_DEVICES, sample_id, about="device"),
            "pharmacy": _pick(_PHARMACIES, sample_id, about="pharmacy"),
            "light": _light(float(np.asarray(image.convert("L")).mean())),
        },
    )


def send(client: FeedbackClient, here: Moment) -> None:
    """Log the prediction, then say what the user said; DeliveryError when the client refuses one of them."""
    taken = client.log_prediction(
        here.photo.image_bytes,
        here.prediction,
        id=here.sample_id,
        captured_at=here.captured_at,
        tags=["demo", str(here.metadata["light"])],
        metadata=here.metadata,
        # a repeat shows the same tray, so it belongs into the same part of a data set
        subject=here.photo.name.split("#")[0][:200],
        stream=str(here.metadata["device"]),
    )
    if taken is None or not _say(client, here):
        raise DeliveryError(f"the client must take every capture, got a refusal: {dict(client.stats().dropped)}")


def _say(client: FeedbackClient, here: Moment) -> bool:
    said, sample_id = here.answer, here.sample_id
    feedback_id = uuid5(_NAMESPACE, f"feedback:{sample_id}")
    if said.outcome is Outcome.CONFIRMED:
        return client.confirm(sample_id, reporter=said.reporter, feedback_id=feedback_id) is not None
    if said.outcome is Outcome.REJECTED:
        return (
            client.reject(sample_id, comment=said.comment, reporter=said.reporter, feedback_id=feedback_id) is not None
        )
    if said.correction is None:
        return True
    given = client.correct(
        sample_id,
        count=said.correction.count,
        boxes=said.correction.boxes,
        points=said.correction.points,
        image_size=said.correction.image_size,
        comment=said.comment,
        reporter=said.reporter,
        feedback_id=feedback_id,
    )
    return given is not None


def _simulate(options: argparse.Namespace) -> dict[str, object]:
    model = CountingModel.load(options.model)
    outcomes = Counter({outcome.value: 0 for outcome in Outcome})
    truth: dict[str, object] = {}
    with FeedbackClient(options.url, options.api_key, spool_dir=options.spool_dir) as client:
        for index, photo in enumerate(_album(options).photos(options.samples)):
            here = moment(model, photo, index=index)
            send(client, here)
            outcomes[here.answer.outcome.value] += 1
            truth[here.sample_id] = _truth(here)
            if (index + 1) % 10 == 0 or index + 1 == options.samples:
                say(f"{index + 1} of {options.samples} photos, {dict(outcomes)}")
        _deliver(client, options)
    return {"samples": len(truth), "feedback": dict(outcomes), "truth": truth, "delivered": True}


def _deliver(client: FeedbackClient, options: argparse.Namespace) -> None:
    is_done = client.flush(options.timeout)
    stats = client.stats()
    if not is_done:
        raise DeliveryError(
            f"{options.url} must take everything within {options.timeout:g} s, got {stats.spool_bytes} bytes still in "
            f"{options.spool_dir}; run it again when the server is up: it sends the same samples, none twice"
        )
    if stats.dropped:
        raise DeliveryError(f"{options.url} must accept every capture, got refusals: {dict(stats.dropped)}")


def _album(options: argparse.Namespace) -> Album:
    if options.images:
        return photos.split(photos.folder(options.images)).production
    return photos.drawn_trays(photos.PRODUCTION_SEED, number=options.samples)


def _truth(here: Moment) -> object:
    """Return what annotate needs: the boxes and the size they refer to, or None where nobody knows."""
    if here.photo.truth is None:
        return None
    return {"boxes": to_wire(here.photo.truth), "image_size": list(here.size)}


def _pick(choices: tuple[str, ...], sample_id: str, *, about: str) -> str:
    return choices[int(len(choices) * drawn(sample_id, about=about))]


def _light(brightness: float) -> str:
    return "dim" if brightness < 70 else "bright" if brightness > 150 else "normal"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulate", description="Play the pill counter and its users.")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE")
    parser.add_argument("--samples", type=int, required=True, metavar="N")
    parser.add_argument("--images", type=Path, metavar="DIR", help="the production part of a folder of photos")
    parser.add_argument("--url", required=True, help="the queue server")
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--spool-dir", type=Path, required=True, metavar="DIR")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long delivery may take")
    parser.add_argument("--json", default="-", metavar="FILE|-")
    return parser


if __name__ == "__main__":
    sys.exit(main())
