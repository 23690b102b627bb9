"""Say a message through one channel. Each kind is a function that returns when it was taken, or raises NotifyError.

The key tells a repeat: a worker that dies between the sending and its record leaves the message to be sent again.
"""

import os
from collections.abc import Callable, Mapping

from queue_server.core.alerts import Channel, ChannelKind, Message, is_variable
from queue_server.errors import NotifyError
from queue_server.notify.email import send_email
from queue_server.notify.http import send_slack, send_webhook
from queue_server.settings import Settings

__all__ = ["send"]


def send(channel: Channel, message: Message, *, key: str, settings: Settings) -> None:
    """Say it, or raise NotifyError; it takes at most some seconds."""
    _SENDERS[channel.kind](channel, message, key, settings)


def _webhook(channel: Channel, message: Message, key: str, settings: Settings) -> None:
    del settings
    secret = _variable(channel.secret) if channel.secret is not None else None
    send_webhook(_address(channel), message, key=key, secret=secret)


def _slack(channel: Channel, message: Message, key: str, settings: Settings) -> None:
    del settings
    send_slack(_address(channel), message, key=key)


def _email(channel: Channel, message: Message, key: str, settings: Settings) -> None:
    send_email(channel.to, message, key=key, smtp_url=settings.smtp_url, sender=settings.mail_from)


_SENDERS: Mapping[ChannelKind, Callable[[Channel, Message, str, Settings], None]] = {
    ChannelKind.WEBHOOK: _webhook,
    ChannelKind.SLACK: _slack,
    ChannelKind.EMAIL: _email,
}


def _address(channel: Channel) -> str:
    (to,) = channel.to
    return _variable(to) if is_variable(to) else to


def _variable(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise NotifyError(f"{name} must be set where the worker runs")
    return value
