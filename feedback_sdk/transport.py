"""How requests reach the server: a seam of one method, and its HTTP form on the standard library.

HTTP and TLS cost more to import than all else together, so they are loaded by the first HttpTransport's constructor:
not with the package, and not in the sender's thread, where the import would hold the app's threads up.
"""

import codecs
import os
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from json import dumps
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from feedback_sdk.errors import TransportError, ValidationError
from feedback_sdk.replies import reply

if TYPE_CHECKING:
    from http.client import HTTPConnection
    from ssl import SSLContext

_MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A call on the server; `path` starts with a slash and goes below the server's URL."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """The server's answer; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Transport(Protocol):
    """Sends one request and waits for its answer."""

    def send(self, request: Request) -> Response:
        """Return the answer, whatever its status; raise TransportError where none came."""


class HttpTransport:
    """HTTP over one kept connection, for one thread.

    Proxies come from the environment (`HTTPS_PROXY`, `NO_PROXY`, …). `ca_bundle` is a PEM file of authorities to trust
    beside the system's (or those of `SSL_CERT_FILE`): a company's own, or that of a proxy that looks inside.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 10.0, ca_bundle: str | None = None) -> None:
        import http.client  # noqa: F401  # it is needed by the sender's thread, which must import nothing

        # The first look-up of a name loads this codec. A fork in that moment would leave the import's lock taken
        # in the child for ever, and the child's sender hanging: load it here, on the caller's thread.
        codecs.lookup("idna")
        self._url = checked_url(url)
        self._timeout_seconds = timeout_seconds
        self._proxy = _proxy_of(self._url)
        self._tls = _tls(ca_bundle) if self._url.scheme == "https" else None
        self._connection: HTTPConnection | None = None
        self._pid = os.getpid()

    def __del__(self) -> None:
        # The seam has no close: the connection goes with the last who holds the transport.
        if getattr(self, "_connection", None) is not None:
            self.close()

    def send(self, request: Request) -> Response:
        """Send over the kept connection, and once more over a new one if the server had closed it."""
        from http.client import HTTPException

        if self._pid != os.getpid():  # after a fork the connection is the parent's
            self._pid, self._connection = os.getpid(), None
        try:
            if self._connection is not None:
                # Ids make a repeat harmless, so the request may go out again even if it had arrived.
                with suppress(ConnectionError):
                    return self._exchange(self._connection, request)
                self.close()
            self._connection = self._connect()
            return self._exchange(self._connection, request)
        except (OSError, ValueError, HTTPException) as error:  # ValueError: a host or header that cannot be sent
            self.close()
            reason = str(error) or type(error).__name__
            raise TransportError(f"no answer from {self._url.hostname}: {reason}") from error

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, connection: "HTTPConnection", request: Request) -> Response:
        headers = {**request.headers, **(self._proxy_headers() if self._tls is None else {})}
        connection.request(request.method, self._target(request.path), body=request.body, headers=headers)
        with connection.getresponse() as answer:
            body = answer.read(_MAX_ANSWER_BYTES)
            is_read_to_its_end = answer.isclosed()
        if not is_read_to_its_end:
            self.close()
        return Response(
            status=answer.status,
            headers={name.lower(): value for name, value in answer.getheaders()},
            body=body,
        )

    def _connect(self) -> "HTTPConnection":
        from http.client import HTTPConnection, HTTPSConnection

        near = self._proxy or self._url
        host, port = str(near.hostname), near.port
        if self._tls is None:
            return HTTPConnection(host, port, timeout=self._timeout_seconds)
        connection = HTTPSConnection(host, port, timeout=self._timeout_seconds, context=self._tls)
        if self._proxy is not None:
            connection.set_tunnel(str(self._url.hostname), self._url.port or 443, headers=self._proxy_headers())
        return connection

    def _target(self, path: str) -> str:
        target = self._url.path.rstrip("/") + path
        if self._proxy is not None and self._tls is None:
            return f"http://{self._url.netloc.rpartition('@')[2]}{target}"
        return target

    def _proxy_headers(self) -> dict[str, str]:
        if self._proxy is None or self._proxy.username is None:
            return {}
        user = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
        return {"Proxy-Authorization": f"Basic {b64encode(user.encode()).decode()}"}


class DryRunTransport:
    """Answers every call as the server would, logs it at level INFO, and sends nothing."""

    def __init__(self) -> None:
        import logging

        self._log = logging.getLogger("feedback_sdk")

    def send(self, request: Request) -> Response:
        """Log method, path and size; return what the server answers to a call that it takes."""
        self._log.info("looks wrong: dry run: %s %s, %d bytes", request.method, request.path, len(request.body))
        form = request.headers.get("Content-Type", "")
        status, document = reply(request.method, request.path, content_type=form, body=request.body)
        return Response(status=status, headers={"content-type": "application/json"}, body=dumps(document).encode())


def checked_url(url: str) -> SplitResult:
    """Return the parts of a server's URL; raise ValidationError where it cannot be one."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError as error:
        raise ValidationError("url", f"url must be http(s)://host[:port][/path], got a fault: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationError("url", f"url must be http(s)://host[:port][/path], got {url[:100]!r}")
    return parts


def _tls(ca_bundle: str | None) -> "SSLContext":
    from ssl import create_default_context

    context = create_default_context()
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except OSError as error:  # SSLError is one
            message = f"ca_bundle must be a PEM file of certificates, got: {error.strerror or error}"
            raise ValidationError("ca_bundle", message) from None
    return context


def _proxy_of(url: SplitResult) -> SplitResult | None:
    from urllib.request import getproxies, proxy_bypass

    proxy = getproxies().get(url.scheme)
    if not proxy or proxy_bypass(str(url.hostname)):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")
