"""Webhooks, our own and Slack's: one POST, signed if there is a secret, no redirect followed, nothing read back."""

import hashlib
import hmac
import json
import time

import httpx

from queue_server.core.alerts import Message
from queue_server.errors import NotifyError

#: of the whole exchange a worker waits no longer; well below a lease
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
#: refusals that may pass: too early, too many, a timeout of theirs
_PASSING = frozenset({408, 425, 429})
_LONGEST_SLACK_TEXT = 3000


def send_webhook(url: str, message: Message, *, key: str, secret: str | None) -> None:
    """Post the message as JSON, or raise NotifyError.

    `Idempotency-Key` is the same at every try. With a secret, `X-Lookswrong-Signature: t=…,v1=…` holds the time and
    the hex HMAC-SHA256 of "<time>.<body>".
    """
    document = message.document | {"title": message.title, "text": message.text}
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Idempotency-Key": key}
    if secret is not None:
        headers["X-Lookswrong-Signature"] = sign(body, secret=secret, at=int(time.time()))
    _post(url, body, headers)


def sign(body: bytes, *, secret: str, at: int) -> str:
    """Return what signs a body at a time, in seconds since 1970.

    >>> sign(b"{}", secret="hush", at=0)[:16]
    't=0,v1=c325d9abb'
    """
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


def send_slack(url: str, message: Message, *, key: str) -> None:
    """Post the message as Slack and those that are compatible with it take it, or raise NotifyError."""
    lines = [f"*{_escaped(message.title)}*", *map(_escaped, message.lines)]
    text = "\n".join(lines)[:_LONGEST_SLACK_TEXT]
    body = json.dumps({"text": f"{text}\n<{message.link}>"}, ensure_ascii=False).encode()
    _post(url, body, {"Idempotency-Key": key})


def _escaped(text: str) -> str:
    """Return a text in which nobody is called and no link hides: names come from users."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    headers = headers | {"Content-Type": "application/json", "User-Agent": "lookswrong"}
    try:
        with httpx.stream("POST", url, content=body, headers=headers, timeout=_TIMEOUT) as answer:
            status = answer.status_code
    except httpx.InvalidURL as error:
        raise NotifyError("the channel's address must be one of http or https", permanent=True) from error
    except httpx.HTTPError as error:
        # Its text may hold the address, which may be a secret.
        raise NotifyError(f"the channel could not be reached: {type(error).__name__}") from error
    if not 200 <= status < 300:
        is_permanent = status < 500 and status not in _PASSING
        raise NotifyError(f"the channel must answer 2xx, got {status}", permanent=is_permanent, status=status)
