"""What the server depends on, and whether it is there: asked afresh at each call, each part within a second or two."""

from dataclasses import dataclass

import httpx
import redis
from sqlalchemy.exc import SQLAlchemyError

from queue_server.backend import Backend
from queue_server.errors import BlobError, SettingsError
from queue_server.store import targets
from queue_server.store.engine import check_schema, ping, reading


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One thing that the server depends on: ok, degraded (we go on without it) or down."""

    status: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """Whether the server can do its work."""

    status: str
    parts: dict[str, Part]


def check_readiness(backend: Backend) -> Readiness:
    """Check database, schema and images, without which nothing works, and the parts that we go on without."""
    vital = {"database": _database(backend), "blobs": _blobs(backend)}
    others = {"broker": _broker(backend), "label_studio": _label_studio(backend)}
    is_down = any(part.status == "down" for part in vital.values())
    is_degraded = any(part.status == "degraded" for part in others.values())
    status = "down" if is_down else "degraded" if is_degraded else "ok"
    return Readiness(status=status, parts=vital | others)


def _database(backend: Backend) -> Part:
    try:
        ping(backend.engine)
        check_schema(backend.engine)
    except (SQLAlchemyError, SettingsError) as error:
        return Part(status="down", detail=str(error)[:300])
    return Part(status="ok", detail=backend.engine.dialect.name)


def _blobs(backend: Backend) -> Part:
    try:
        backend.blobs.check()
    except BlobError as error:
        return Part(status="down", detail=str(error)[:300])
    return Part(status="ok", detail="")


def _broker(backend: Backend) -> Part:
    url = backend.settings.broker_url
    if not url:
        return Part(status="degraded", detail="LOOKSWRONG_BROKER_URL is not set: no worker is woken")
    try:
        with redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:  # ValueError: an address of no kind that it knows
        return Part(status="degraded", detail=str(error)[:300])
    return Part(status="ok", detail="")


def _label_studio(backend: Backend) -> Part:
    url = backend.settings.label_studio_url
    if not url:
        return Part(status="degraded", detail="LOOKSWRONG_LABEL_STUDIO_URL is not set: queued samples wait")
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=1.0)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Part(status="degraded", detail=f"{type(error).__name__}: {error}"[:300])
    if not answer.is_success:
        return Part(status="degraded", detail=f"answers {answer.status_code}")
    return _last_work(backend)


def _last_work(backend: Backend) -> Part:
    """Tell what the worker met there last: a server that answers may still refuse our token."""
    try:
        with reading(backend.engine) as session:
            errors = targets.errors(session)
    except SQLAlchemyError:
        return Part(status="ok", detail="answers")  # the database is told of as a part of its own
    return Part(status="degraded", detail=errors[0][:300]) if errors else Part(status="ok", detail="answers")
