"""Our own client, as the benchmark drives it."""

from collections.abc import Callable
from functools import partial

from benchmarks.client_sdks.libraries import Opened, Setup
from benchmarks.client_sdks.tasks import Event, box_of
from feedback_sdk import Box, FeedbackClient, Prediction, Task

KEY = "lw_k1_secret"


def client(setup: Setup) -> FeedbackClient:
    """Return the client with its defaults, but for what a case is about."""
    options: dict[str, object] = {}
    if setup.timeout_seconds is not None:
        from feedback_sdk.transport import HttpTransport

        options["transport"] = HttpTransport(setup.url, timeout_seconds=setup.timeout_seconds)
    if setup.upload:
        options["upload"] = setup.upload
    made: Callable[..., FeedbackClient] = FeedbackClient
    return made(setup.url, setup.api_key or KEY, spool_dir=setup.spool, **options)


def prediction_of(event: Event) -> Prediction:
    """Return the event as our wire's value."""
    build: Callable[..., Box] = Box
    return Prediction(
        model_version="pills-2026-11-20",
        task=Task.DETECTION,
        image_size=(1280, 960),
        confidence=0.5 + event.number % 499 / 1000,
        boxes=[build(**box_of(event.number, index)) for index in range(event.boxes)],
    )


def open_ours(setup: Setup) -> Opened:
    """Open the client."""
    looks_wrong = client(setup)

    def prepare(event: Event) -> Callable[[], object]:
        prediction = prediction_of(event)
        if not event.marker:
            return partial(looks_wrong.log_prediction, event.image or None, prediction)
        return partial(looks_wrong.log_prediction, event.image or None, prediction, tags=(event.marker,))

    return Opened(prepare=prepare, flush=looks_wrong.flush)
