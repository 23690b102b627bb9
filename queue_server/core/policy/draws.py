"""Random numbers that are the same on every retry: hashes of the sample's id with a secret salt."""

import hashlib
import hmac
from uuid import UUID

_SCALE = 2.0**-53


def rule_salt(rule_name: str, salt: bytes) -> bytes:
    """Return a rule's own salt, so that one rule's draws say nothing of another's.

    >>> rule_salt("random", b"salt") == rule_salt("empty", b"salt")
    False
    """
    return hmac.digest(salt, rule_name.encode(), "sha256")


def draw(sample_id: UUID, salt: bytes) -> float:
    """Return a number in [0, 1), uniform over samples.

    >>> 0 <= draw(UUID(int=1), b"salt") < 1
    True
    """
    digest = hashlib.sha256(salt + sample_id.bytes).digest()
    # 53 bits: more would round up to 1.0 now and then
    return (int.from_bytes(digest[:8]) >> 11) * _SCALE


def rule_draw(sample_id: UUID, rule_name: str, salt: bytes) -> float:
    """Return the number in [0, 1) with which a rule draws for a sample: the same on every retry.

    >>> rule_draw(UUID(int=1), "random", b"salt") == rule_draw(UUID(int=1), "random", b"salt")
    True
    """
    return draw(sample_id, rule_salt(rule_name, salt))
