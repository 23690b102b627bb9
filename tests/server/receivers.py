"""What alerts are sent to: a web server that keeps what comes, and an SMTP server that takes e-mail."""

import base64
import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass
class Posted:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


@dataclass
class WebReceiver:
    """A web server that keeps what is posted, and answers what a test says."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    #: answered one after the other; when they are used up, 200
    answers: list[int] = field(default_factory=list)


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    """Run a web server on a free port."""
    receiver = WebReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posted.append(Posted(self.path, dict(self.headers.items()), body))
            status = receiver.answers.pop(0) if receiver.answers else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        receiver.url = f"http://127.0.0.1:{port}/hook"
        yield receiver


@dataclass
class MailReceiver:
    """An SMTP server that keeps what it takes."""

    url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    #: command -> what is answered to it instead
    refusals: dict[str, str] = field(default_factory=dict)
    #: offered by STARTTLS, with AUTH then; None: neither
    tls: ssl.SSLContext | None = None
    #: what AUTH PLAIN said
    logins: list[str] = field(default_factory=list)


class _MailHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say("220 receiver ready")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(":")[0].split(" ")[0].upper()
            self._answer(verb, line)
            if verb == "QUIT":
                return

    def _answer(self, verb: str, line: str) -> None:
        receiver = self.server.receiver
        if verb in receiver.refusals:
            self._say(receiver.refusals[verb])
        elif verb == "DATA":
            self._say("354 go ahead")
            self._take()
        elif verb == "EHLO" and receiver.tls is not None:
            self._say("250-receiver\r\n250-AUTH PLAIN\r\n250 STARTTLS")
        elif verb == "STARTTLS":
            self._say("220 go ahead")
            self._secure()
        elif verb == "AUTH":
            receiver.logins.append(base64.b64decode(line.rsplit(maxsplit=1)[-1]).decode().replace("\0", " ").strip())
            self._say("235 welcome")
        else:
            if verb == "RCPT":
                receiver.recipients.append(line.partition("<")[2].rstrip(">"))
            self._say("221 bye" if verb == "QUIT" else "250 ok")

    def _secure(self) -> None:
        self.request = self.server.receiver.tls.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", buffering=0)

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.receiver.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    """Run an SMTP server (RFC 5321, without extensions) on a free port."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _MailHandler)
    server.receiver = MailReceiver()
    with _served(server) as port:
        server.receiver.url = f"smtp://127.0.0.1:{port}"
        yield server.receiver


def self_signed(folder: Path) -> Path:
    """Write a certificate of 127.0.0.1 that vouches for itself, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[int]:
    serve: Callable[..., None] = server.serve_forever
    thread = threading.Thread(target=serve, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
