"""E-mail, through the server that LOOKSWRONG_SMTP_URL names."""

import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import SplitResult, unquote, urlsplit

from queue_server.core.alerts import Message
from queue_server.errors import NotifyError

_TIMEOUT_SECONDS = 10.0
_USUAL_PORTS = {"smtp": 25, "smtps": 465}
_LONGEST_SUBJECT = 200


def send_email(to: Sequence[str], message: Message, *, key: str, smtp_url: str, sender: str) -> None:
    """Hand the message to the SMTP server, or raise NotifyError.

    `smtp://` speaks TLS where the server offers it, and must before it says a password; `smtps://` speaks it from the
    first byte. The Message-ID is the same at every try, by which many mail programs drop repeats.
    """
    url = _read(smtp_url)
    mail = _mail(to, message, key=key, sender=sender)
    try:
        refused = _hand_over(url, mail)
    except smtplib.SMTPRecipientsRefused as error:
        raise NotifyError("the mail server refused every address", permanent=True) from error
    except smtplib.SMTPResponseException as error:
        is_permanent = 500 <= error.smtp_code < 600
        raise NotifyError(f"the mail server answered {error.smtp_code}", permanent=is_permanent) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotifyError(f"the mail server could not be reached: {type(error).__name__}") from error
    if refused:
        raise NotifyError(f"the mail server refused {len(refused)} of {len(to)} addresses", permanent=True)


def _hand_over(url: SplitResult, mail: EmailMessage) -> dict[str, tuple[int, bytes]]:
    """Return the addresses that were refused; how the server parts from us is no matter once it has taken the rest."""
    server = _connect(url)
    try:
        _secure(server, url)
        return server.send_message(mail)
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _read(smtp_url: str) -> SplitResult:
    try:
        url = urlsplit(smtp_url)
        is_right = url.scheme in _USUAL_PORTS and bool(url.hostname) and url.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise NotifyError("LOOKSWRONG_SMTP_URL must be set to smtp://[user:password@]host[:port] or smtps://…")
    return url


def _connect(url: SplitResult) -> smtplib.SMTP:
    assert url.hostname is not None
    port = url.port or _USUAL_PORTS[url.scheme]
    if url.scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(url.hostname, port, timeout=_TIMEOUT_SECONDS, context=context)
    return smtplib.SMTP(url.hostname, port, timeout=_TIMEOUT_SECONDS)


def _secure(server: smtplib.SMTP, url: SplitResult) -> None:
    """Speak TLS where that is to be had, and log in; a password is never said in the clear."""
    server.ehlo()
    is_tls = url.scheme == "smtps"
    if not is_tls and server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
        is_tls = True
    if url.username is None:
        return
    if not is_tls:
        raise NotifyError("the mail server must offer STARTTLS before it is told a password", permanent=True)
    server.login(unquote(url.username), unquote(url.password or ""))


def _mail(to: Sequence[str], message: Message, *, key: str, sender: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = " ".join(message.title.split())[:_LONGEST_SUBJECT]
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{hashlib.sha256(f'{key} {message.link}'.encode()).hexdigest()[:32]}@lookswrong>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text + "\n")
    return mail
