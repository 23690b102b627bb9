"""Makes the token vectors that other languages test against: `python -m tests.sdk.token_vectors` writes them."""

import json
from pathlib import Path
from uuid import UUID

from feedback_sdk import tokens

#: below the server, which serves it, so that the wheel holds it
FILE = Path(__file__).parents[2] / "queue_server" / "static" / "token-vectors.json"

_SAMPLE = UUID("12345678-1234-5678-1234-567812345678")
_OTHER = UUID("00000000-0000-4000-8000-00000000000a")
_SHORT = "lw_k1_se_cret"
_LONG = "lw_0a1b2c3d_ThisIsNoRealSecret-0123456789_abcdefghijklm"
_EXPIRY = 2_000_000_000

_VALID = (
    ("feedback, no reporter", _SHORT, "f", _SAMPLE, None, _EXPIRY),
    ("upload, no reporter", _SHORT, "s", _SAMPLE, None, _EXPIRY),
    ("ASCII reporter", _SHORT, "f", _SAMPLE, "ann", _EXPIRY),
    ("reporter whose base64url has - and _", _LONG, "f", _OTHER, "?>~Ã¿", _EXPIRY),
    ("non-ASCII reporter", _LONG, "s", _SAMPLE, "Zoë Müller", _EXPIRY),
    ("reporter in another script", _LONG, "f", _OTHER, "薬剤師", _EXPIRY),
    ("emoji reporter", _SHORT, "f", _OTHER, "👩‍⚕️💊", _EXPIRY),
    ("reporter with a dot and spaces", _SHORT, "f", _SAMPLE, "a. b.c ", _EXPIRY),
    ("the earliest expiry", _SHORT, "f", _SAMPLE, "ann", 0),
    ("the latest expiry", _LONG, "s", _OTHER, "ann", 999_999_999_999),
)


def document() -> dict[str, object]:
    """Return all vectors."""
    return {
        "format": "v1.<kid>.<scope>.<sample>.<reporter>.<expiry>.<hmac>",
        "valid": [_valid(*values) for values in _VALID],
        "invalid": _invalid(),
    }


def text() -> str:
    """Return the file's content."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _valid(name: str, key: str, scope: str, sample: UUID, reporter: str | None, expiry: int) -> dict[str, object]:
    token = tokens.mint(key, sample_id=sample, reporter=reporter, scope=scope, expires_at=expiry)
    kid, secret = tokens.split_key(key)
    return {
        "name": name,
        "api_key": key,
        "kid": kid,
        "secret": secret,
        "signing_key_hex": tokens.signing_key(secret).hex(),
        "scope": scope,
        "sample_id": str(sample),
        "reporter": reporter,
        "expires_at": expiry,
        "signed": token.rpartition(".")[0],
        "token": token,
    }


def _signed(*parts: str) -> str:
    """Return a text with a signature that is right, whatever it says."""
    said = ".".join(parts)
    return f"{said}.{tokens._sign(said, tokens.signing_key('se_cret'))}"


def _invalid() -> list[dict[str, object]]:
    good = tokens.mint(_SHORT, sample_id=_SAMPLE, reporter="ann", scope="f", expires_at=_EXPIRY)
    sample, expiry, now = str(_SAMPLE), str(_EXPIRY), _EXPIRY - 1
    cases = (
        ("signature", "a changed signature", good[:-1] + ("A" if good[-1] != "A" else "B"), now),
        ("signature", "another key's signature", f"{good.rpartition('.')[0]}.{'A' * 43}", now),
        ("signature", "scope changed after signing", good.replace(".f.", ".s."), now),
        ("signature", "sample changed after signing", good.replace("12345678-", "22345678-"), now),
        ("signature", "reporter changed after signing", good.replace("YW5u", "Ym9i"), now),
        ("signature", "expiry changed after signing", good.replace(expiry, "2000000001"), now),
        ("signature", "padding on the signature", good + "=", now),
        ("signature", "no signature", good.rpartition(".")[0] + ".", now),
        ("expired", "used at its expiry", good, _EXPIRY),
        ("expired", "used long after its expiry", good, _EXPIRY + 86_400),
        ("scope", "an unknown scope", _signed("v1", "k1", "x", sample, "YW5u", expiry), now),
        ("scope", "a scope in upper case", _signed("v1", "k1", "F", sample, "YW5u", expiry), now),
        ("version", "another version", _signed("v2", "k1", "f", sample, "YW5u", expiry), now),
        ("parts", "a part too few", _signed("v1", "k1", "f", sample, expiry), now),
        ("parts", "a part too many", _signed("v1", "k1", "f", sample, "YW5u", "x", expiry), now),
        ("kid", "no key id", _signed("v1", "", "f", sample, "YW5u", expiry), now),
        ("sample", "a sample in upper case", _signed("v1", "k1", "f", str(_OTHER).upper(), "YW5u", expiry), now),
        ("sample", "a sample without hyphens", _signed("v1", "k1", "f", _SAMPLE.hex, "YW5u", expiry), now),
        ("reporter", "padded base64", _signed("v1", "k1", "f", sample, "YW4=", expiry), now),
        ("reporter", "base64url with stray bits", _signed("v1", "k1", "f", sample, "YW5", expiry), now),
        ("reporter", "the alphabet of plain base64", _signed("v1", "k1", "f", sample, "Pz5+w4PCvw", expiry), now),
        ("reporter", "bytes that are no UTF-8", _signed("v1", "k1", "f", sample, "_w", expiry), now),
        ("expiry", "a leading zero", _signed("v1", "k1", "f", sample, "YW5u", f"0{expiry}"), now),
        ("expiry", "a negative expiry", _signed("v1", "k1", "f", sample, "YW5u", "-1"), -2),
        ("expiry", "an expiry that is no whole number", _signed("v1", "k1", "f", sample, "YW5u", "2e9"), now),
    )
    signing_key = tokens.signing_key("se_cret").hex()
    return [
        {"name": name, "reason": reason, "signing_key_hex": signing_key, "now": at, "token": token}
        for reason, name, token, at in cases
    ]


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
