"""The token vectors for other languages: what this package mints, what an independent reading makes of them."""

import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from feedback_sdk import tokens
from feedback_sdk.errors import ValidationError
from tests.sdk.token_vectors import FILE, text

VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
VALID, INVALID = VECTORS["valid"], VECTORS["invalid"]
PATTERN = re.compile(
    r"v1\.[A-Za-z0-9-]{1,64}\.[fs]\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.([A-Za-z0-9_-]*)\.(0|[1-9][0-9]{0,11})",
    re.ASCII,
)
MESSAGES = {
    "signature": "must be signed by its key",
    "expired": "must not have expired",
    "scope": "scope must be one of f, s",
    "version": "start with v1",
    "parts": "must have 7 parts",
    "kid": "must name its key",
    "sample": "sample",
    "reporter": "name its reporter",
    "expiry": "expire at unix seconds",
}


def named(vector):
    return vector["name"]


def holds(token: str, *, key: bytes, now: int) -> bool:
    """Verify a token with nothing of ours."""
    signed, _, signature = token.rpartition(".")
    form = PATTERN.fullmatch(signed)
    if form is None:
        return False
    reporter = form[2]
    try:
        raw = base64.urlsafe_b64decode(reporter + "=" * (-len(reporter) % 4))
        raw.decode()
    except ValueError:
        return False
    is_canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == reporter
    expected = base64.urlsafe_b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    return is_canonical and expected == signature and now < int(form[3])


def test_file_is_what_this_package_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m tests.sdk.token_vectors"


@pytest.mark.parametrize("vector", VALID, ids=named)
def test_valid_vector_is_what_an_independent_implementation_makes(vector: dict) -> None:
    kid, secret = re.fullmatch("lw_([^_]+)_(.+)", vector["api_key"]).groups()
    key = hashlib.sha256(b"lookswrong-token-v1" + secret.encode()).digest()
    reporter = base64.urlsafe_b64encode((vector["reporter"] or "").encode()).rstrip(b"=").decode()
    signed = f"v1.{kid}.{vector['scope']}.{vector['sample_id']}.{reporter}.{vector['expires_at']}"
    signature = base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), "sha256")).rstrip(b"=").decode()
    made = (kid, secret, key.hex(), signed, f"{signed}.{signature}")
    assert made == tuple(vector[name] for name in ("kid", "secret", "signing_key_hex", "signed", "token"))


@pytest.mark.parametrize("vector", VALID, ids=named)
def test_valid_vector_says_what_it_was_made_of(vector: dict) -> None:
    key = bytes.fromhex(vector["signing_key_hex"])
    token = tokens.verify(vector["token"], key=key, now=vector["expires_at"] - 1)
    assert (token.scope, token.sample_id, token.reporter) == (
        vector["scope"],
        UUID(vector["sample_id"]),
        vector["reporter"],
    )
    assert holds(vector["token"], key=key, now=vector["expires_at"] - 1)


@pytest.mark.parametrize("vector", INVALID, ids=named)
def test_invalid_vector_is_refused_for_its_reason(vector: dict) -> None:
    key = bytes.fromhex(vector["signing_key_hex"])
    with pytest.raises(ValidationError, match=MESSAGES[vector["reason"]]):
        tokens.verify(vector["token"], key=key, now=vector["now"])
    assert not holds(vector["token"], key=key, now=vector["now"])


def test_every_reason_has_a_vector() -> None:
    assert {vector["reason"] for vector in INVALID} == set(MESSAGES)


def test_javascript_makes_and_refuses_the_same() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on this machine: the vectors are not run through WebCrypto")
    program = Path(__file__).with_name("token_vectors.mjs")
    run = subprocess.run([node, str(program), str(FILE)], capture_output=True, text=True, check=True, timeout=60)
    said = json.loads(run.stdout)
    names = ("name", "signing_key_hex", "signed", "token")
    assert said["valid"] == [{name: vector[name] for name in names} | {"refused": None} for vector in VALID]
    assert said["invalid"] == [{"name": vector["name"], "refused": vector["reason"]} for vector in INVALID]
