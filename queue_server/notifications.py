"""Send what is to be said, each once through each channel, however many workers run and whichever of them dies."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from queue_server import models
from queue_server.backend import Backend
from queue_server.core.alerts import Channel, Message, parse_channels
from queue_server.errors import NotifyError
from queue_server.notify import send
from queue_server.store import notifications, projects
from queue_server.store.engine import reading, writing

_log = structlog.get_logger()

_FIRST_PAUSE_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 900.0
#: what could not be said for so long is no news any more
_GIVE_UP_AFTER = timedelta(days=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """What came of sending."""

    sent: int = 0
    failed: int = 0


def deliver(backend: Backend) -> Delivered:
    """Send all that waits; safe to run twice and to die anywhere.

    1. Claim one with a lease. 2. Send it, outside of any transaction. 3. Record that it was sent, while the lease is
    ours. Who dies between 2 and 3 leaves it to be sent again, with the same key: a receiver that minds the key hears
    it once, another twice, and no receiver ever not at all.
    """
    sent = failed = 0
    owner = secrets.token_hex(8)
    while (row := _claim(backend, owner)) is not None:
        if _send(backend, row, owner):
            sent += 1
        else:
            failed += 1
    return Delivered(sent=sent, failed=failed)


def _claim(backend: Backend, owner: str) -> models.Notification | None:
    lease = timedelta(seconds=backend.settings.lease_seconds)
    with writing(backend.engine) as session:
        return notifications.claim(session, owner=owner, now=_now(), lease=lease)


def _send(backend: Backend, row: models.Notification, owner: str) -> bool:
    try:
        channel = channel_of(backend, row.project_id, row.channel)
        send(channel, notifications.message_of(row), key=row.key, settings=backend.settings)
    except NotifyError as error:
        _put_off(backend, row, owner, error)
        return False
    with writing(backend.engine) as session:
        notifications.finish(session, row, owner=owner, now=_now())
    _log.info("notified", action="notify", channel=row.channel, key=row.key, attempts=row.attempts)
    return True


def _put_off(backend: Backend, row: models.Notification, owner: str, error: NotifyError) -> None:
    """Try again after a pause that doubles with each try; what is refused for good, or too old, is given up."""
    is_over = error.permanent or _now() - row.created_at > _GIVE_UP_AFTER
    pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(row.attempts - 1, 20), _LONGEST_PAUSE_SECONDS)
    _log.warning("not notified", action="notify", channel=row.channel, key=row.key, error=str(error), given_up=is_over)
    with writing(backend.engine) as session:
        if is_over:
            notifications.give_up(session, row, owner=owner, error=str(error))
        else:
            later = _now() + timedelta(seconds=pause)
            notifications.release(session, row, owner=owner, available_at=later, error=str(error))


def channel_of(backend: Backend, project_id: int, name: str) -> Channel:
    """Return a project's channel as its file says it now, or raise NotifyError."""
    with reading(backend.engine) as session:
        known = parse_channels(projects.get(session, project_id).channels)
    for channel in known:
        if channel.name == name:
            return channel
    there = ", ".join(channel.name for channel in known) or "none"
    raise NotifyError(f"the channel must be one of the project's file, got {name!r}; there are {there}", permanent=True)


def send_trial(backend: Backend, project: models.Project, name: str) -> None:
    """Say through a channel, now, that this is a trial, or raise NotifyError."""
    assert project.id is not None
    channel = channel_of(backend, project.id, name)
    link = backend.settings.public_url
    said = Message(
        title=f"{project.name}: a trial of the channel {name}",
        lines=("Nothing is wrong: somebody tried whether messages arrive here.",),
        link=link,
        document={"kind": "trial", "project": project.name, "channel": name, "link": link},
    )
    send(channel, said, key=f"trial-{secrets.token_hex(8)}", settings=backend.settings)


def _now() -> datetime:
    return datetime.now(UTC)
