"""HTTP on real sockets: one kept connection, and a clear error where no answer comes."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from feedback_sdk.errors import TransportError, ValidationError
from feedback_sdk.transport import HttpTransport, Request, checked_url
from tests.sdk.stand_in import Server

PING = Request(method="GET", path="/healthz")


def test_an_answer_has_status_headers_and_body(server):
    server.answers.append((418, {"Retry-After": "7"}, b"short"))
    answer = HttpTransport(server.url).send(PING)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (418, "7", b"short")


def test_requests_share_one_connection(server):
    transport = HttpTransport(server.url)
    for _ in range(3):
        transport.send(PING)
    assert server.connections == 1


def test_the_body_and_headers_arrive_as_given(server):
    body = bytes(range(256))
    HttpTransport(server.url).send(Request(method="GET", path="/x", headers={"X-Is": "here"}, body=body))
    assert server.bodies == [body]
    assert server.headers[0]["X-Is"] == "here"


def test_a_connection_that_the_server_closed_is_opened_anew(server):
    transport = HttpTransport(server.url)
    transport.send(PING)
    server.drop_connections()
    assert transport.send(PING).status == 200
    assert server.connections == 2


def test_a_server_that_restarted_is_reached_again(free_port):
    transport = HttpTransport(f"http://127.0.0.1:{free_port}")
    for _ in range(2):
        server = Server(free_port)
        assert transport.send(PING).status == 200
        server.drop_connections()
        server.stop()


def test_nobody_there_is_a_transport_error(free_port):
    with pytest.raises(TransportError, match=r"no answer from 127\.0\.0\.1: .*refused") as caught:
        HttpTransport(f"http://127.0.0.1:{free_port}").send(PING)
    assert (caught.value.status, caught.value.permanent) == (None, False)


def test_a_server_that_hangs_times_out(server):
    server.is_hanging.set()
    with pytest.raises(TransportError, match="timed out"):
        HttpTransport(server.url, timeout_seconds=0.1).send(PING)


def test_after_a_time_out_a_new_connection_is_used(server):
    transport = HttpTransport(server.url, timeout_seconds=0.3)
    server.is_hanging.set()
    with pytest.raises(TransportError):
        transport.send(PING)
    server.is_hanging.clear()
    assert transport.send(PING).status == 200


def test_what_does_not_speak_http_is_a_transport_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_once, args=(listener, b"220 mail.example ESMTP\r\n"))
        thread.start()
        with pytest.raises(TransportError, match="220 mail"):
            HttpTransport(f"http://127.0.0.1:{listener.getsockname()[1]}").send(PING)
        thread.join()


def test_an_endless_answer_is_cut_off(server):
    server.answers.append((200, {}, b"x" * (3 << 20)))
    transport = HttpTransport(server.url)
    assert len(transport.send(PING).body) == 1 << 20
    assert transport.send(PING).body == b'{"status": "ok"}'


def test_tls_to_a_plain_server_is_a_transport_error(server):
    with pytest.raises(TransportError, match="SSL"):
        HttpTransport(server.url.replace("http:", "https:")).send(PING)


@pytest.mark.parametrize("key", ["line\nbreak", "snow ☃"])
def test_a_header_that_cannot_be_sent_is_a_transport_error(server, key):
    with pytest.raises(TransportError):
        HttpTransport(server.url).send(Request(method="GET", path="/", headers={"Authorization": key}))


def test_a_path_in_the_url_goes_before_every_path():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen: list[bytes] = []
        thread = threading.Thread(target=_answer_once, args=(listener, _OK, seen))
        thread.start()
        HttpTransport(f"http://127.0.0.1:{listener.getsockname()[1]}/feedback/").send(PING)
        thread.join()
    assert seen[0].startswith(b"GET /feedback/healthz HTTP/1.1\r\n")


def test_a_proxy_of_the_environment_is_asked_with_its_password(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen: list[bytes] = []
        monkeypatch.setenv("http_proxy", f"http://me:p%40ss@127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        thread = threading.Thread(target=_answer_once, args=(listener, _OK, seen))
        thread.start()
        HttpTransport("http://looks.example:8000").send(PING)
        thread.join()
    assert seen[0].startswith(b"GET http://looks.example:8000/healthz HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in seen[0]


def test_no_proxy_is_heeded(monkeypatch, server, free_port):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert HttpTransport(server.url).send(PING).status == 200


@pytest.mark.parametrize(
    "url", ["", "looks.example", "ftp://a", "http://", "http://a:port", "http://[::1", "file:///x"]
)
def test_what_is_no_server_address_is_refused(url):
    with pytest.raises(ValidationError, match="url must be") as caught:
        checked_url(url)
    assert caught.value.field == "url"


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_ca_bundle_that_cannot_be_read_is_refused(tmp_path, text):
    path = tmp_path / "authorities.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValidationError, match="ca_bundle must be a PEM file"):
        HttpTransport("https://looks.example", ca_bundle=str(path))


def test_a_server_of_a_private_authority_is_trusted_by_its_bundle(tmp_path):
    certificate, key = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as plain, context.wrap_socket(plain, server_side=True) as listener:
        thread = threading.Thread(target=_answer_once, args=(listener, _OK))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        assert HttpTransport(url, ca_bundle=str(certificate)).send(PING).status == 200
        thread.join()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def _answer_once(listener: socket.socket, answer: bytes, seen: list[bytes] | None = None) -> None:
    connection, _ = listener.accept()
    with connection:
        request = connection.recv(65536)
        if seen is not None:
            seen.append(request)
        connection.sendall(answer)
