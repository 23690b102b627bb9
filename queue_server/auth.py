"""Who may do what: scoped keys, per-sample tokens, signed image URLs. Only hashes of secrets are stored.

A publishable key (`lwp_…`) is no secret: it stands in a page for all to read. It is told apart from the others by how
it begins, so that nobody hands out the wrong one, and is taken for unverified feedback and nothing else.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from itsdangerous import BadSignature, Signer
from sqlmodel import Session

from feedback_sdk import tokens
from feedback_sdk.errors import ValidationError
from queue_server import models
from queue_server.errors import ProblemError, ScopeError
from queue_server.store import keys


class Scope(StrEnum):
    """What a key may do."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"
    #: to be read by anybody: unverified feedback, which never counts
    PUBLISH = "publish"


_PUBLISHABLE = re.compile(r"lwp_([A-Za-z0-9-]{1,64})_([A-Za-z0-9_-]{1,200})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A project's key, or a token minted with one: then `token` says for which sample and reporter."""

    project_id: int
    scopes: frozenset[Scope]
    token: tokens.Token | None = None

    @property
    def is_publishable(self) -> bool:
        """Tell whether anybody may hold what was shown to us."""
        return Scope.PUBLISH in self.scopes

    @property
    def is_trusted(self) -> bool:
        """Tell whether it is a secret key: its faults and conflicts are answered, others' are kept to ourselves."""
        return self.token is None and not self.is_publishable


def make_key(
    session: Session, project: models.Project, *, scopes: Sequence[Scope], secret_keys: tuple[str, ...], now: datetime
) -> str:
    """Make a key and return it, the only time that it can be read.

    ScopeError: a publishable key may do nothing else, as it stands in pages.
    """
    is_publishable = Scope.PUBLISH in scopes
    if is_publishable and set(scopes) != {Scope.PUBLISH}:
        raise ScopeError("the scope publish must stand alone: such a key is no secret")
    kid_and_secret = f"{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    keep_key(session, project, api_key=f"lw_{kid_and_secret}", scopes=scopes, secret_keys=secret_keys, now=now)
    return f"{'lwp' if is_publishable else 'lw'}_{kid_and_secret}"


def keep_key(
    session: Session,
    project: models.Project,
    *,
    api_key: str,
    scopes: Sequence[Scope],
    secret_keys: tuple[str, ...],
    now: datetime,
) -> None:
    """Let a key in from now on; its secret must be long and random."""
    assert project.id is not None
    kid, secret = tokens.split_key(api_key)
    token_key = base64.b64encode(tokens.signing_key(secret))
    row = models.ApiKey(
        kid=kid,
        project_id=project.id,
        scopes=sorted(set(scopes)),
        secret_sha256=_sha256(secret),
        token_key_encrypted=_fernet(secret_keys).encrypt(token_key).decode(),
        created_at=now,
    )
    session.add(row)
    session.flush()


def caller_of_key(session: Session, api_key: str) -> Caller:
    """Return who holds this key, or raise ProblemError 401."""
    try:
        kid, secret = tokens.split_key(api_key)
    except ValidationError as error:
        raise ProblemError(401, f"the key must look like lw_<id>_<secret>: {error.message}") from error
    return _caller(session, kid, secret)


def caller_of_publishable(session: Session, text: str) -> Caller:
    """Return whose publishable key this is, or raise ProblemError 401; a secret key in its place is refused."""
    found = _PUBLISHABLE.fullmatch(text)
    caller = _caller(session, found[1], found[2]) if found is not None else None
    if caller is None or not caller.is_publishable:
        raise ProblemError(401, "key must be a publishable one, lwp_<id>_<secret>; a secret key belongs into a header")
    return caller


def _caller(session: Session, kid: str, secret: str) -> Caller:
    row = keys.find(session, kid)
    if row is None or not hmac.compare_digest(row.secret_sha256, _sha256(secret)):
        raise ProblemError(401, "the key must be one of this server's, got an unknown one")
    if row.revoked_at is not None:
        raise ProblemError(401, "the key must not be revoked")
    return Caller(project_id=row.project_id, scopes=frozenset(Scope(scope) for scope in row.scopes))


def caller_of_token(session: Session, text: str, *, secret_keys: tuple[str, ...], now: datetime) -> Caller:
    """Return who holds this per-sample token, or raise ProblemError 401; a revoked key revokes its tokens."""
    try:
        row = keys.find(session, tokens.parse(text).kid)
        if row is None or row.revoked_at is not None or Scope.INGEST not in row.scopes:
            raise ProblemError(401, "the token must be minted with a live key of this server with scope ingest")
        key = base64.b64decode(_fernet(secret_keys).decrypt(row.token_key_encrypted.encode()))
        token = tokens.verify(text, key=key, now=int(now.timestamp()))
    except ValidationError as error:
        raise ProblemError(401, f"the token must be valid: {error.message}") from error
    except InvalidToken as error:
        raise ProblemError(401, "the token's key was stored under another SECRET_KEY: make a new key") from error
    return Caller(project_id=row.project_id, scopes=frozenset(), token=token)


def require(caller: Caller, scope: Scope) -> None:
    """Raise ProblemError 403 unless the key has the scope; `admin` may read."""
    allowed = {scope, Scope.ADMIN} if scope is Scope.READ else {scope}
    if not allowed & caller.scopes:
        has = ", ".join(sorted(caller.scopes)) or "none"
        raise ProblemError(403, f"the key must have the scope {scope}, it has {has}")


def sign_image(sha256: str, *, project_id: int, secret_keys: tuple[str, ...]) -> str:
    """Return the signature with which Label Studio may fetch an image of the project, for ever."""
    return _signer(secret_keys).get_signature(_image_name(project_id, sha256)).decode()


def is_image_signature(sha256: str, *, project_id: int, signature: str, secret_keys: tuple[str, ...]) -> bool:
    """Tell whether we signed this image for this project, with the current secret or an earlier one."""
    try:
        _signer(secret_keys).unsign(f"{_image_name(project_id, sha256)}.{signature}")
    except (BadSignature, UnicodeError):
        return False
    return True


def _image_name(project_id: int, sha256: str) -> str:
    return f"{project_id}/{sha256}"


def _signer(secret_keys: tuple[str, ...]) -> Signer:
    # itsdangerous signs with the last key and verifies with all; ours signs with the first.
    return Signer(list(reversed(secret_keys)), salt="lookswrong.image", digest_method=hashlib.sha256)


def _fernet(secret_keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(k.encode()).digest())) for k in secret_keys])


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
