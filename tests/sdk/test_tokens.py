"""Per-sample tokens: what the app mints, the server verifies."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk import tokens
from feedback_sdk.errors import ValidationError

SAMPLE = UUID("12345678-1234-5678-1234-567812345678")
KEY = "lw_k1_se_cret"
SIGNING = tokens.signing_key("se_cret")


def minted(*, reporter: str | None = "ann", scope: str = "f", expires_at: int = 2_000_000_000) -> str:
    return tokens.mint(KEY, sample_id=SAMPLE, reporter=reporter, scope=scope, expires_at=expires_at)


@pytest.mark.parametrize(
    ("reporter", "scope", "vector"),
    [
        (None, "f", "v1.k1.f.12345678-1234-5678-1234-567812345678..2000000000"),
        ("ann", "f", "v1.k1.f.12345678-1234-5678-1234-567812345678.YW5u.2000000000"),
        ("Zoë", "s", "v1.k1.s.12345678-1234-5678-1234-567812345678.Wm_Dqw.2000000000"),
    ],
)
def test_a_token_is_what_the_format_says(reporter, scope, vector):
    key = hashlib.sha256(b"lookswrong-token-v1se_cret").digest()
    signature = urlsafe_b64encode(hmac.new(key, vector.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    assert minted(reporter=reporter, scope=scope) == f"{vector}.{signature}"


@pytest.mark.parametrize(
    ("key", "parts"), [("lw_k1_s", ("k1", "s")), ("lw_k1_a_b_c", ("k1", "a_b_c")), ("lw_K-9__", ("K-9", "_"))]
)
def test_a_key_splits_at_its_first_two_underscores(key, parts):
    assert tokens.split_key(key) == parts


@pytest.mark.parametrize("key", ["", "lw", "lw_k1", "lw_k1_", "lw__s", "xx_k1_s", "lw_k.1_s", "lw_k 1_s", "LW_k1_s"])
def test_another_form_of_key_is_refused_without_naming_it(key):
    with pytest.raises(ValidationError, match="api_key must look like") as caught:
        tokens.split_key(key)
    assert "k1" not in str(caught.value)


def test_verify_returns_what_was_minted():
    token = tokens.verify(minted(), key=SIGNING, now=1_999_999_999)
    assert (token.kid, token.scope, token.sample_id) == ("k1", "f", SAMPLE)
    assert (token.reporter, token.expires_at) == ("ann", 2_000_000_000)


def test_a_token_ends_at_its_expiry():
    with pytest.raises(ValidationError, match="must not have expired, got 0 s"):
        tokens.verify(minted(expires_at=100), key=SIGNING, now=100)


def test_another_key_does_not_verify():
    with pytest.raises(ValidationError, match="must be signed by its key"):
        tokens.verify(minted(), key=tokens.signing_key("other"), now=0)


@pytest.mark.parametrize(
    ("old", "new"),
    [("k1", "k2"), (".f.", ".s."), ("1234-5678-", "1234-5679-"), ("YW5u", "Ym9i"), ("2000000000", "2000000001")],
)
def test_no_part_can_be_changed(old, new):
    with pytest.raises(ValidationError, match="must be signed by its key"):
        tokens.verify(minted().replace(old, new, 1), key=SIGNING, now=0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "7 parts"),
        ("v1.k1.f", "7 parts"),
        ("v2.k1.f.x.y.1.z", "start with v1"),
        ("v1.k 1.f.x.y.1.z", "name its key"),
        ("v1.k1.q.x.y.1.z", "scope must be one of f, s"),
        ("v1.k1.f.x.y.1.z", "sample by its uuid"),
        ("v1.k1.f.12345678123456781234567812345678..1.z", "canonical form"),
        (f"v1.k1.f.{str(SAMPLE).upper().replace('1', 'A')}..1.z", "canonical form"),
        (f"v1.k1.f.{SAMPLE}.YW5v=.1.z", "canonical base64url"),
        (f"v1.k1.f.{SAMPLE}.YW6.1.z", "base64url"),
        (f"v1.k1.f.{SAMPLE}._w.1.z", "UTF-8"),
        (f"v1.k1.f.{SAMPLE}..-1.z", "unix seconds"),
        (f"v1.k1.f.{SAMPLE}..01.z", "unix seconds"),
        (f"v1.k1.f.{SAMPLE}..1e3.z", "unix seconds"),
        ("v1." + "x" * 5000, "7 parts"),
    ],
)
def test_what_is_no_token_is_refused_with_its_reason(text, message):
    with pytest.raises(ValidationError, match=message):
        tokens.parse(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"scope": "x"}, "scope must be"), ({"expires_at": -1}, "unix seconds"), ({"reporter": "x" * 2000}, "must fit")],
)
def test_a_token_that_could_not_be_read_is_not_minted(change, message):
    with pytest.raises(ValidationError, match=message):
        minted(**change)


@given(reporter=st.text(max_size=200), expires_at=st.integers(0, 10**11), scope=st.sampled_from("fs"))
def test_every_minted_token_verifies(reporter, expires_at, scope):
    text = minted(reporter=reporter, expires_at=expires_at, scope=scope)
    token = tokens.verify(text, key=SIGNING, now=expires_at - 1)
    assert (token.reporter, token.scope) == (reporter or None, scope)


@given(st.text(max_size=300) | st.from_regex(r"v1\.k1\.f\.[0-9a-f-]{36}\.[\w=-]{0,9}\.\d{1,13}\.\w*", fullmatch=True))
def test_parse_raises_nothing_but_validation_errors(text):
    try:
        tokens.parse(text)
    except ValidationError as error:
        assert error.field in ("token", "scope")
