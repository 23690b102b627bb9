"""Channels, each against a real server: what is sent, how it is signed, and what a refusal means."""

import hashlib
import hmac
import ssl
from pathlib import Path

import pytest

from queue_server.core.alerts import Channel, Message, parse_channels
from queue_server.errors import NotifyError
from queue_server.notify import send
from queue_server.settings import Settings
from tests.server.receivers import MailReceiver, WebReceiver, self_signed

VARIABLE = "LOOKSWRONG_CHANNEL_OPS"
SAID = Message(
    title="pills: accuracy is 81.2 %",
    lines=("is: 81.2 %, slice <night> & fog", "expected: at least 90 %"),
    link="http://here/alerts",
    document={"kind": "alert", "event": "fired"},
)


def channel(**given: object) -> Channel:
    return parse_channels({"ops": given})[0]


def say(of: Channel, tmp_path: Path, *, smtp_url: str = "") -> None:
    settings = Settings(data_dir=tmp_path, smtp_url=smtp_url, mail_from="Pills <pills@app.example>")
    send(of, SAID, key="alert-7-ops", settings=settings)


def refused(of: Channel, tmp_path: Path, **more: str) -> NotifyError:
    with pytest.raises(NotifyError) as caught:
        say(of, tmp_path, **more)
    return caught.value


def test_webhook_gets_the_document_with_words_for_people(web: WebReceiver, tmp_path: Path) -> None:
    say(channel(webhook=web.url), tmp_path)
    (posted,) = web.posted
    assert posted.json == {"kind": "alert", "event": "fired", "title": SAID.title, "text": SAID.text}
    assert (posted.headers["Idempotency-Key"], posted.headers["Content-Type"]) == ("alert-7-ops", "application/json")
    assert "X-Lookswrong-Signature" not in posted.headers


def test_webhook_is_signed_with_the_secret_of_the_environment(
    web: WebReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "hush")
    say(channel(webhook=web.url, secret=VARIABLE), tmp_path)
    (posted,) = web.posted
    time, mac = (part.partition("=")[2] for part in posted.headers["X-Lookswrong-Signature"].split(","))
    assert mac == hmac.new(b"hush", time.encode() + b"." + posted.body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("given", [{"webhook": VARIABLE}, {"slack": VARIABLE}])
def test_address_may_stand_in_the_environment(
    web: WebReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict
) -> None:
    monkeypatch.setenv(VARIABLE, web.url)
    say(channel(**given), tmp_path)
    assert [posted.path for posted in web.posted] == ["/hook"]


@pytest.mark.parametrize("given", [{"webhook": VARIABLE}, {"webhook": "http://127.0.0.1:9", "secret": VARIABLE}])
def test_variable_that_is_not_set_is_named(tmp_path: Path, given: dict) -> None:
    fault = refused(channel(**given), tmp_path)
    assert (str(fault), fault.permanent) == (f"{VARIABLE} must be set where the worker runs", False)


def test_slack_gets_text_in_which_nobody_is_called(
    web: WebReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, web.url)
    say(channel(slack=VARIABLE), tmp_path)
    assert web.posted[0].json["text"].splitlines() == [
        "*pills: accuracy is 81.2 %*",
        "is: 81.2 %, slice &lt;night&gt; &amp; fog",
        "expected: at least 90 %",
        "<http://here/alerts>",
    ]


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (404, True), (410, True), (302, True), (408, False), (429, False), (500, False), (503, False)],
)
def test_refusal_is_for_good_or_may_pass(web: WebReceiver, tmp_path: Path, status: int, permanent: bool) -> None:
    web.answers = [status]
    fault = refused(channel(webhook=web.url), tmp_path)
    assert (fault.status, fault.permanent, len(web.posted)) == (status, permanent, 1)


def test_channel_that_is_away_is_told_without_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:9/T0/hush")
    fault = refused(channel(slack=VARIABLE), tmp_path)
    assert (str(fault), fault.permanent) == ("the channel could not be reached: ConnectError", False)


@pytest.mark.parametrize("address", ["hush", "ftp://hush", "http://[hush"])
def test_address_that_is_none_is_told_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(VARIABLE, address)
    assert "hush" not in str(refused(channel(webhook=VARIABLE), tmp_path))


def test_email_arrives_with_all_that_is_said(mail: MailReceiver, tmp_path: Path) -> None:
    say(channel(email=["anna@app.example", "ben@app.example"]), tmp_path, smtp_url=mail.url)
    (found,) = mail.mails
    assert (found["Subject"], found["From"]) == (SAID.title, "Pills <pills@app.example>")
    assert found.get_content().splitlines() == SAID.text.splitlines()
    assert mail.recipients == ["anna@app.example", "ben@app.example"]


def test_email_that_is_sent_again_has_the_same_id(mail: MailReceiver, tmp_path: Path) -> None:
    for _ in range(2):
        say(channel(email="anna@app.example"), tmp_path, smtp_url=mail.url)
    first, second = (found["Message-ID"] for found in mail.mails)
    assert first == second


def test_email_that_was_taken_is_sent_however_the_server_parts(mail: MailReceiver, tmp_path: Path) -> None:
    mail.refusals = {"QUIT": "500 no"}
    say(channel(email="anna@app.example"), tmp_path, smtp_url=mail.url)
    assert len(mail.mails) == 1


@pytest.mark.parametrize(
    ("refusals", "permanent", "said"),
    [
        ({"RCPT": "550 no such user"}, True, "refused every address"),
        ({"MAIL": "451 later"}, False, "answered 451"),
        ({"DATA": "554 no"}, True, "answered 554"),
    ],
)
def test_refused_email_is_for_good_or_may_pass(
    mail: MailReceiver, tmp_path: Path, refusals: dict, permanent: bool, said: str
) -> None:
    mail.refusals = refusals
    fault = refused(channel(email="anna@app.example"), tmp_path, smtp_url=mail.url)
    assert said in str(fault)
    assert fault.permanent is permanent


def test_password_is_never_said_in_the_clear(mail: MailReceiver, tmp_path: Path) -> None:
    url = mail.url.replace("smtp://", "smtp://me:hush@")
    fault = refused(channel(email="anna@app.example"), tmp_path, smtp_url=url)
    assert str(fault) == "the mail server must offer STARTTLS before it is told a password"
    assert mail.mails == []


def secured(mail: MailReceiver, tmp_path: Path) -> Path:
    """Let the mail server offer TLS and a login; return its certificate."""
    file = self_signed(tmp_path)
    mail.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mail.tls.load_cert_chain(file)
    mail.url = mail.url.replace("smtp://", "smtp://me:h%40sh@")
    return file


def test_password_is_said_once_the_mail_server_speaks_tls(
    mail: MailReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured(mail, tmp_path)))
    say(channel(email="anna@app.example"), tmp_path, smtp_url=mail.url)
    assert (mail.logins, len(mail.mails)) == (["me h@sh"], 1)


def test_mail_server_that_nobody_vouches_for_is_told_nothing(mail: MailReceiver, tmp_path: Path) -> None:
    secured(mail, tmp_path)
    fault = refused(channel(email="anna@app.example"), tmp_path, smtp_url=mail.url)
    assert str(fault) == "the mail server could not be reached: SSLCertVerificationError"
    assert (mail.logins, mail.mails) == ([], [])


@pytest.mark.parametrize("url", ["", "http://mail.example", "smtp://", "smtp://mail.example:port"])
def test_setting_of_the_mail_server_must_be_right(tmp_path: Path, url: str) -> None:
    assert "LOOKSWRONG_SMTP_URL must be set" in str(refused(channel(email="a@b.example"), tmp_path, smtp_url=url))


def test_mail_server_that_is_away_may_come_back(tmp_path: Path) -> None:
    fault = refused(channel(email="a@b.example"), tmp_path, smtp_url="smtp://127.0.0.1:9")
    assert (str(fault), fault.permanent) == ("the mail server could not be reached: ConnectionRefusedError", False)
