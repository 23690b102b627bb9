"""`python -m feedback_sdk check`: say what stands between this machine and the server, each fault with its remedy.

(`spool` looks at what waits on this machine: see `feedback_sdk.spool.command`.)

It asks the server how it is and then sends one sample of a 2 x 2 image without a prediction, tagged
`lookswrong-check`. Its id and content hang on server and key alone: however often it runs, it makes one sample.
"""

import argparse
import os
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from json import loads
from pathlib import Path
from socket import gaierror
from uuid import NAMESPACE_URL, uuid5

from feedback_sdk import retry, tokens
from feedback_sdk.calls import auth_headers, sample_request
from feedback_sdk.errors import FeedbackError, TransportError, ValidationError
from feedback_sdk.options import is_switched_on
from feedback_sdk.pixels import Shape, encode_png
from feedback_sdk.spool import command as spool_command
from feedback_sdk.spool import state_folder
from feedback_sdk.spool.quarantine import reason
from feedback_sdk.transport import HttpTransport, Request, Response, checked_url

_ABOUT = """\
The Looks Wrong SDK, seen from this machine.

  check   says what stands between here and the server, each fault with its remedy; it sends one tiny sample, always
          the same, tagged `lookswrong-check`
  spool   shows what is not sent yet and what the server refused and why, and sends refused records again

Both know an app's server and key by the same variables as the app: LOOKSWRONG_URL, LOOKSWRONG_API_KEY and, if it has
a folder of its own, LOOKSWRONG_SPOOL_DIR. `check --help` and `spool list --help` tell the options in their place."""
_CLOCK_SECONDS = 300
_TIMEOUT_SECONDS = 10.0
_KEY_REMEDY = "set LOOKSWRONG_API_KEY to a key of `lookswrong key create --project P --scope ingest`"
_SERVER_REMEDY = "set LOOKSWRONG_URL to the address that answers `GET /healthz` with JSON"


class _FaultError(FeedbackError):
    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(f"FAULT {message}; remedy: {remedy}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 where all is well, 1 where it found a fault, 2 where it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m feedback_sdk", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="{check,spool}")
    about = "look for faults between here and the server"
    check = commands.add_parser("check", help=about, description=about)
    spool_command.add_place_to(check)
    check.set_defaults(run=_check)
    spool_command.add_to(commands)
    given = parser.parse_args(arguments)
    code = 1
    try:
        code = given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; what the interpreter flushes at its end has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _check(given: argparse.Namespace) -> int:
    is_well = True
    for line in _lines(given.url, given.api_key, spool_dir=given.spool_dir):
        sys.stdout.write(line + "\n")
        is_well = is_well and line.startswith("ok")
    return 0 if is_well else 1


def _lines(url: str, api_key: str, *, spool_dir: str) -> Iterator[str]:
    """Yield one line for each step; a step that cannot be taken without the last ends the list."""
    if is_switched_on("LOOKSWRONG_DISABLED"):
        yield str(_FaultError("LOOKSWRONG_DISABLED is set: no client captures anything", remedy="unset it"))
    try:
        yield _settings(url, api_key)
    except _FaultError as fault:
        yield str(fault)
        return
    folder = Path(spool_dir) if spool_dir else state_folder(url=url, kid=tokens.split_key(api_key)[0])
    yield _line(lambda: _spool(folder))
    try:
        transport = _transport(url)
        alive = _health(transport)
    except _FaultError as fault:
        yield str(fault)
        return
    yield f"ok {url} is a Looks Wrong server"
    yield _line(lambda: _clock(alive))
    yield _line(lambda: _ready(transport))
    yield _line(lambda: _sample(transport, url=url, api_key=api_key))


def _line(step: Callable[[], str]) -> str:
    try:
        return step()
    except _FaultError as fault:
        return str(fault)


def _settings(url: str, api_key: str) -> str:
    if not url:
        raise _FaultError("there is no URL", remedy="set LOOKSWRONG_URL, or give --url")
    try:
        checked_url(url)
    except ValidationError as error:
        raise _FaultError(error.message, remedy="set LOOKSWRONG_URL to http://… or https://…") from None
    if not api_key:
        raise _FaultError("there is no key", remedy=_KEY_REMEDY)
    try:
        return f"ok settings: {url} with key {tokens.split_key(api_key)[0]}"
    except ValidationError as error:
        raise _FaultError(error.message, remedy=_KEY_REMEDY) from None


def _spool(folder: Path) -> str:
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"ok")
    except OSError as error:
        remedy = "set LOOKSWRONG_SPOOL_DIR to a folder that this user may write to"
        raise _FaultError(f"the spool folder {folder} is not writable: {error.strerror}", remedy=remedy) from None
    finally:
        with suppress(OSError):  # of a mistyped URL or key nothing stays; one that an app began with meanwhile does
            for path in made:
                path.rmdir()
    return f"ok the spool folder {folder} is writable"


def _transport(url: str) -> HttpTransport:
    ca_bundle = os.environ.get("LOOKSWRONG_CA_BUNDLE")
    try:
        return HttpTransport(url, timeout_seconds=_TIMEOUT_SECONDS, ca_bundle=ca_bundle or None)
    except ValidationError as error:
        raise _FaultError(error.message, remedy="set LOOKSWRONG_CA_BUNDLE to your authority's certificate") from None


def _health(transport: HttpTransport) -> Response:
    answer = _asked(transport, Request(method="GET", path="/healthz"))
    if answer.status != 200 or not _is_json_object(answer.body):
        raise _FaultError(f"this is not a Looks Wrong server: /healthz answers {answer.status}", remedy=_SERVER_REMEDY)
    return answer


def _clock(answer: Response) -> str:
    there = retry.http_date(answer.headers.get("date"))
    off = 0.0 if there is None else (datetime.now(UTC) - there).total_seconds()
    if abs(off) > _CLOCK_SECONDS:
        message = f"this machine's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the server's"
        raise _FaultError(message, remedy="let NTP set the clock, here or on the server")
    return "ok the clock agrees with the server's"


def _ready(transport: HttpTransport) -> str:
    answer = _asked(transport, Request(method="GET", path="/readyz"))
    if answer.status != 200:
        state = answer.body[:200].decode(errors="replace")
        raise _FaultError(f"the server is not ready: {state}", remedy="run `lookswrong doctor` on the server")
    return "ok the server is ready"


def _sample(transport: HttpTransport, *, url: str, api_key: str) -> str:
    if is_switched_on("LOOKSWRONG_DRY_RUN"):
        return "ok dry run: no sample was sent, and no client sends any while LOOKSWRONG_DRY_RUN is set"
    image = encode_png(b"\x00\x40\x80\xc0", Shape(width=2, height=2, channels=1))
    name = f"{url}#{tokens.split_key(api_key)[0]}#{sha256(image).hexdigest()}"
    fields = {
        "id": str(uuid5(NAMESPACE_URL, name)),
        "captured_at": "2026-01-01T00:00:00Z",
        "tags": ["lookswrong-check"],
    }
    answer = _asked(transport, sample_request(fields, image, headers=auth_headers(api_key)))
    if retry.is_success(answer.status):
        return "ok the server takes samples with this key"
    remedies = {
        401: ("the server does not know the key (status 401)", _KEY_REMEDY),
        403: ("the key lacks the scope `ingest` (status 403)", _KEY_REMEDY),
        413: ("the server or a proxy refuses 1 kB as too large (status 413)", "raise the proxy's limit on bodies"),
    }
    why = reason({"status": answer.status, "body": answer.body.decode(errors="replace")})
    message, remedy = remedies.get(answer.status, (f"a sample is refused, {why}", "read the server's log"))
    raise _FaultError(message, remedy=remedy)


def _asked(transport: HttpTransport, request: Request) -> Response:
    try:
        return transport.send(request)
    except TransportError as error:
        for kind, remedy in _REMEDIES.items():
            if isinstance(error.__cause__, kind):
                raise _FaultError(str(error), remedy=remedy) from None
        raise _FaultError(str(error), remedy=_SERVER_REMEDY) from None


_REMEDIES: dict[type[Exception], str] = {
    gaierror: "the name does not resolve: look for a slip in LOOKSWRONG_URL, or at this machine's DNS",
    ConnectionRefusedError: "nothing listens there: start the server, or mend the port in LOOKSWRONG_URL",
    TimeoutError: "no answer in time: a firewall may be between, or the server is overloaded",
    ssl.SSLCertVerificationError: "TLS does not trust the server: set LOOKSWRONG_CA_BUNDLE to its authority's file",
    ssl.SSLError: "TLS fails: if the server speaks plain HTTP, LOOKSWRONG_URL must start with http://",
}


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(loads(body), dict)
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
