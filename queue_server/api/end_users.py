"""Who posts from a page or a phone that anybody may hold: by a per-sample token, or by a publishable key.

What they may do is bounded here: from which pages, how much, how often. What they are answered tells nothing of whether
a sample exists, neither in its words nor, as far as a clock can be kept from telling, in its time.
"""

import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from flask import request

from queue_server.api.endpoint import backend, now, read_json
from queue_server.api.limits import limits
from queue_server.auth import Caller, caller_of_publishable, caller_of_token
from queue_server.errors import FieldError, ProblemError
from queue_server.store import projects
from queue_server.store.engine import reading

T = TypeVar("T")

#: of a body that comes without a secret key
MOST_BYTES = 4096
#: to store an answer takes less than this, whether or not there is something to be decided anew
_EVEN_SECONDS = 0.05


def read_post(value: type[T]) -> T:
    """Return the JSON body; one without a key in the header is not even received beyond what it may have."""
    if request.authorization is None:
        # A body in chunks is cut there without a word: one byte more shows that it was.
        request.max_content_length = MOST_BYTES + 1
        _check_size()
    return read_json(value, request.get_data())


def _check_size() -> None:
    if (size := len(request.get_data())) > MOST_BYTES:
        fault = FieldError(field="body", message=f"must have at most {MOST_BYTES} bytes, got {size} or more")
        raise ProblemError(413, "the body is too large", (fault,))


def admit(post: str, *, token: str | None = None, key: str | None = None) -> Caller:
    """Return who posts by a token or a publishable key, or raise ProblemError 401, 403, 413 or 429.

    1. The address, before anything is looked up. 2. The token or key. 3. The page's origin. 4. The token's count, and
    last the project's, which nobody can use up who does not get that far. `post` names the call: each counts apart.
    """
    _check_size()
    settings = backend().settings
    limits().spend(f"{post}/address/{_address()}", per_minute=settings.address_posts_per_minute)
    with reading(backend().engine) as session:
        if token is not None:
            caller = caller_of_token(session, token, secret_keys=settings.secret_keys, now=now())
        else:
            caller = caller_of_publishable(session, key or "")
        _check_origin(projects.get(session, caller.project_id).origins)
    if caller.token is not None:
        name = f"{post}/token/{caller.project_id}/{caller.token.sample_id}/{caller.token.reporter or ''}"
        limits().spend(name, per_minute=settings.token_posts_per_minute)
    limits().spend(f"{post}/project/{caller.project_id}", per_minute=settings.project_posts_per_minute)
    return caller


@contextmanager
def even_time(caller: Caller) -> Iterator[None]:
    """Let the work take one time for all who may not know what it found; a secret key is not kept waiting."""
    started = time.monotonic()
    yield
    if not caller.is_trusted:
        time.sleep(max(0.0, _EVEN_SECONDS - (time.monotonic() - started)))


def _check_origin(allowed: list[str] | None) -> None:
    """Raise ProblemError 403 for a page that the project does not name; what is no browser says no origin."""
    origin = request.headers.get("Origin")
    if allowed is None or origin is None or origin in allowed:
        return
    # What came is in the browser's own console; the list is nobody's business.
    fault = FieldError(field="Origin", message="must be one of the project's `origins`")
    raise ProblemError(403, "this page may not post here", (fault,))


def _address() -> str:
    """Return whom an address stands for: of IPv6 one household has as many as it likes, of one network."""
    text = request.remote_addr or ""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text[:100]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped) if mapped is not None else str(ipaddress.ip_network((int(found), 64), strict=False))
