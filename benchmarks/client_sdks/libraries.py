"""The libraries side by side: how each is opened for a long-running service, and how it is given an event.

Each is used as its documentation says, with its defaults; what differs stands in its `note`. They are loaded by name,
since none of them is a dependency of the project. A library that cannot take an image at all is given none.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from benchmarks.client_sdks.tasks import Event, fields_of

Call = Callable[[], object]
_NAME = "prediction"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What a library is opened with."""

    url: str
    spool: str
    api_key: str = ""
    timeout_seconds: float | None = None
    upload: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A library at work."""

    #: turn an event into the call that captures it, outside of what is timed
    prepare: Callable[[Event], Call]
    #: the library's own way to send all that is pending
    flush: Callable[[float], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """One library of the comparison."""

    distribution: str
    #: the statement that an app has at its head
    statement: str
    #: the module that tells whether it is installed
    module: str
    open: Callable[[Setup], Opened]
    takes_images: bool = True
    #: each call waits for the server's answer
    is_blocking: bool = False
    note: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether this interpreter has it."""
        try:
            return find_spec(self.module) is not None
        except ModuleNotFoundError:
            return False


def _sentry(setup: Setup) -> Opened:
    sentry = import_module("sentry_sdk")
    options: dict[str, object] = {}
    if setup.timeout_seconds is not None:
        transport = import_module("sentry_sdk.transport").HttpTransport
        options["transport"] = type("ShortTransport", (transport,), {"TIMEOUT": setup.timeout_seconds})
    sentry.init(dsn=setup.url.replace("://", "://key@") + "/1", **options)

    def with_attachment(event: Mapping[str, object], image: bytes) -> None:
        with sentry.new_scope() as scope:
            scope.add_attachment(bytes=image, filename="image.jpg", content_type="image/jpeg")
            scope.capture_event(event)

    def prepare(event: Event) -> Call:
        message = {"message": event.marker or _NAME, "level": "info", "extra": fields_of(event)}
        if event.image:
            return partial(with_attachment, message, event.image)
        return partial(sentry.capture_event, message)

    return Opened(prepare=prepare, flush=lambda timeout: sentry.flush(timeout=timeout))


def _posthog(setup: Setup) -> Opened:
    options = {} if setup.timeout_seconds is None else {"timeout": setup.timeout_seconds}
    client = import_module("posthog").Posthog("phc_key", host=setup.url, **options)

    def with_image(fields: Mapping[str, object], image: bytes) -> None:
        client.capture(_NAME, distinct_id="user", properties={**fields, "image": _base64(image)})

    def prepare(event: Event) -> Call:
        if event.image:
            return partial(with_image, fields_of(event), event.image)
        return partial(client.capture, _NAME, distinct_id="user", properties=fields_of(event))

    return Opened(prepare=prepare, flush=lambda _: client.flush())


def _segment(setup: Setup) -> Opened:
    options = {} if setup.timeout_seconds is None else {"timeout": setup.timeout_seconds}
    client = import_module("segment.analytics.client").Client("key", host=setup.url, **options)

    def prepare(event: Event) -> Call:
        return partial(client.track, "user", _NAME, fields_of(event))

    return Opened(prepare=prepare, flush=lambda _: client.flush())


def _langfuse(setup: Setup) -> Opened:
    options = {} if setup.timeout_seconds is None else {"timeout": int(setup.timeout_seconds)}
    langfuse = import_module("langfuse")
    client = langfuse.Langfuse(public_key="pk-lf-key", secret_key="sk-lf-key", base_url=setup.url, **options)

    def with_image(fields: Mapping[str, object], image: bytes) -> None:
        media = langfuse.LangfuseMedia(content_bytes=image, content_type="image/jpeg")
        client.create_event(name=_NAME, input=media, metadata=fields)

    def prepare(event: Event) -> Call:
        if event.image:
            return partial(with_image, fields_of(event), event.image)
        return partial(client.create_event, name=_NAME, metadata=fields_of(event))

    return Opened(prepare=prepare, flush=lambda _: client.flush())


def _opentelemetry(setup: Setup) -> Opened:
    logs = import_module("opentelemetry.sdk._logs")
    export = import_module("opentelemetry.sdk._logs.export")
    http = import_module("opentelemetry.exporter.otlp.proto.http._log_exporter")
    exporter = http.OTLPLogExporter(endpoint=setup.url + "/v1/logs", timeout=setup.timeout_seconds)
    provider = logs.LoggerProvider()
    provider.add_log_record_processor(export.BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("benchmark")

    def prepare(event: Event) -> Call:
        attributes = {**fields_of(event), **({"image": event.image} if event.image else {})}
        return partial(logger.emit, event_name=_NAME, attributes=attributes)

    return Opened(prepare=prepare, flush=lambda timeout: provider.force_flush(int(timeout * 1000)))


def _requests(setup: Setup) -> Opened:
    requests = import_module("requests")
    post = partial(requests.post, setup.url + "/events", timeout=setup.timeout_seconds or 10.0)

    def prepare(event: Event) -> Call:
        def call() -> None:
            files = {"files": {"image": event.image}, "data": {"event": str(fields)}}
            (post(**files) if event.image else post(json=fields)).raise_for_status()

        fields = fields_of(event)
        return call

    return Opened(prepare=prepare, flush=lambda _: None)


def _ours(setup: Setup) -> Opened:
    opened: Opened = import_module("benchmarks.client_sdks.ours").open_ours(setup)
    return opened


def _base64(image: bytes) -> str:
    from base64 import b64encode

    return b64encode(image).decode()


OURS = "lookswrong"
LIBRARIES: Mapping[str, Library] = {
    OURS: Library(
        distribution="lookswrong",
        statement="from feedback_sdk import FeedbackClient, Prediction, Box",
        module="feedback_sdk",
        open=_ours,
    ),
    "sentry": Library(
        distribution="sentry-sdk",
        statement="import sentry_sdk",
        module="sentry_sdk",
        open=_sentry,
        note="has no setting for its time-out of 30 s: where a case needs a shorter one, a transport with TIMEOUT set",
    ),
    "posthog": Library(distribution="posthog", statement="import posthog", module="posthog", open=_posthog),
    "segment": Library(
        distribution="segment-analytics-python",
        statement="import segment.analytics",
        module="segment.analytics",
        open=_segment,
        takes_images=False,
        note="takes no event above 32 kB, so no image",
    ),
    "langfuse": Library(
        distribution="langfuse",
        statement="from langfuse import Langfuse",
        module="langfuse",
        open=_langfuse,
        note="an event of type EVENT; the image as LangfuseMedia, which it uploads by itself",
    ),
    "opentelemetry": Library(
        distribution="opentelemetry-exporter-otlp-proto-http",
        statement=(
            "from opentelemetry.sdk._logs.export import BatchLogRecordProcessor; "
            "from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter"
        ),
        module="opentelemetry.exporter.otlp.proto.http",
        open=_opentelemetry,
        note="log records through the batch processor",
    ),
    "requests": Library(
        distribution="requests",
        statement="import requests",
        module="requests",
        open=_requests,
        is_blocking=True,
        note="a plain post for each event, time-out 10 s, no retry",
    ),
}


def quiet_logs() -> None:
    """Let warnings go to standard error, as an app's log does."""
    logging.basicConfig(level=logging.WARNING)
