"""Per-sample tokens: what lets one end user speak of one sample, without a key in the browser.

Key: `lw_<kid>_<secret>`. Token: `v1.<kid>.<scope>.<sample>.<reporter>.<expiry>.<hmac>`, where the reporter is base64url
of its UTF-8 (empty: none), the expiry is in unix seconds, and the HMAC-SHA256 covers all before the last dot under
`signing_key(secret)`. The app mints offline; the server verifies with the same functions.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID

from feedback_sdk.errors import ValidationError

FEEDBACK = "f"
UPLOAD = "s"
_SCOPES = (FEEDBACK, UPLOAD)
_VERSION = "v1"
_KID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_EXPIRY = re.compile(r"0|[1-9][0-9]{0,11}", re.ASCII)
_MAX_CHARS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """What a token says; only `verify` says that it is true."""

    kid: str
    scope: str
    sample_id: UUID
    reporter: str | None
    #: unix seconds; the token holds before this instant
    expires_at: int
    #: the text that the signature covers
    signed: str
    signature: str


def split_key(api_key: str) -> tuple[str, str]:
    """Return (kid, secret) of a key; the secret may hold underscores.

    >>> split_key("lw_k1_a_b")
    ('k1', 'a_b')
    """
    parts = api_key.split("_", 2)
    if len(parts) != 3 or parts[0] != "lw" or not _KID.fullmatch(parts[1]) or not parts[2]:
        raise ValidationError("api_key", "api_key must look like lw_<kid>_<secret>, got another form")
    return parts[1], parts[2]


def signing_key(secret: str) -> bytes:
    """Return the 32 bytes that sign the tokens of a key."""
    return hashlib.sha256(b"lookswrong-token-v1" + secret.encode()).digest()


def mint(api_key: str, *, sample_id: UUID, reporter: str | None, scope: str, expires_at: int) -> str:
    """Return the text of a token; `expires_at` is in unix seconds.

    >>> mint("lw_k1_s", sample_id=UUID(int=1), reporter=None, scope="f", expires_at=1).rpartition(".")[0]
    'v1.k1.f.00000000-0000-0000-0000-000000000001..1'
    """
    kid, secret = split_key(api_key)
    if not _EXPIRY.fullmatch(str(expires_at)):
        raise ValidationError("expires_at", f"expires_at must be unix seconds, got {expires_at}")
    fields = (_VERSION, kid, _scope(scope), str(sample_id), _encode((reporter or "").encode()), str(expires_at))
    signed = ".".join(fields)
    text = f"{signed}.{_sign(signed, signing_key(secret))}"
    if len(text) > _MAX_CHARS:
        raise ValidationError("reporter", f"reporter must fit a token of {_MAX_CHARS} characters, got {len(text)}")
    return text


def parse(text: str) -> Token:
    """Read a token without believing it: the server finds its key by `kid`, then calls `verify`.

    >>> parse(mint("lw_k1_s", sample_id=UUID(int=1), reporter="ann", scope="f", expires_at=9)).reporter
    'ann'
    """
    parts = text.split(".") if len(text) <= _MAX_CHARS else []
    if len(parts) != 7 or parts[0] != _VERSION:
        raise _invalid("must have 7 parts that start with v1", f"{len(parts)} parts")
    _, kid, scope, sample, reporter, expiry, signature = parts
    if not _KID.fullmatch(kid):
        raise _invalid("must name its key", "another form")
    if not _EXPIRY.fullmatch(expiry):
        raise _invalid("must expire at unix seconds", "another form")
    return Token(
        kid=kid,
        scope=_scope(scope),
        sample_id=_sample_id(sample),
        reporter=_reporter(reporter),
        expires_at=int(expiry),
        signed=text.rpartition(".")[0],
        signature=signature,
    )


def verify(text: str, *, key: bytes, now: int) -> Token:
    """Return the token if `key` signed it and it has not expired at `now` (unix seconds)."""
    token = parse(text)
    if not hmac.compare_digest(_sign(token.signed, key).encode(), token.signature.encode()):
        raise ValidationError("token", "token must be signed by its key, got another signature")
    if now >= token.expires_at:
        raise ValidationError("token", f"token must not have expired, got {now - token.expires_at} s past its expiry")
    return token


def _sign(signed: str, key: bytes) -> str:
    return _encode(hmac.digest(key, signed.encode(), "sha256"))


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _scope(scope: str) -> str:
    if scope not in _SCOPES:
        raise ValidationError("scope", f"scope must be one of {', '.join(_SCOPES)}, got {scope[:20]!r}")
    return scope


def _sample_id(text: str) -> UUID:
    try:
        sample_id = UUID(text)
    except ValueError:
        raise _invalid("must name a sample by its uuid", "another form") from None
    if str(sample_id) != text:
        raise _invalid("must name its sample in canonical form", "another form")
    return sample_id


def _reporter(text: str) -> str | None:
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        reporter = raw.decode()
    except ValueError:
        raise _invalid("must name its reporter in base64url of UTF-8", "another form") from None
    # One reporter has one spelling, else two texts would pose as one token.
    if _encode(raw) != text:
        raise _invalid("must name its reporter in canonical base64url", "another form")
    return reporter or None


def _invalid(must: str, got: str) -> ValidationError:
    return ValidationError("token", f"token {must}, got {got}")
