"""Where alerts are said: channels by name, whose secrets stand in the environment and never in a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from queue_server.core.policy.faults import Faults, refuse_unknown
from queue_server.core.policy.parameters import Json
from queue_server.errors import PolicyError

#: only variables that are meant for it can be named: a file must not get at the process's other secrets
VARIABLE_PREFIX = "LOOKSWRONG_CHANNEL_"
_VARIABLE = re.compile(rf"{VARIABLE_PREFIX}[A-Z0-9_]{{1,100}}", re.ASCII)
_URL = re.compile(r"https?://[^\s/@]+(/\S*)?")
_ADDRESS = re.compile(r"[^\s@,;<>\"]{1,64}@[^\s@,;<>\"]{1,190}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}", re.ASCII)
_MOST_CHANNELS = 50
_MOST_ADDRESSES = 50


class ChannelKind(StrEnum):
    """How something is said."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """One place to say it."""

    name: str
    kind: ChannelKind
    #: an address, or the name of the variable that holds it; of e-mail: the addresses
    to: tuple[str, ...]
    #: the name of the variable with the key that webhooks are signed with; None: not signed
    secret: str | None = None


def is_variable(text: str) -> bool:
    """Tell whether a text names a variable that a channel may read.

    >>> is_variable("LOOKSWRONG_CHANNEL_OPS"), is_variable("LOOKSWRONG_SECRET_KEY")
    (True, False)
    """
    return _VARIABLE.fullmatch(text) is not None


def parse_channels(value: object) -> tuple[Channel, ...]:
    """Return the channels of a project's file, or raise PolicyError with the path of all that is wrong.

    >>> parse_channels({"ops": {"webhook": "https://ops.example/hook"}})[0].kind
    <ChannelKind.WEBHOOK: 'webhook'>
    """
    if value is None:
        return ()
    if not isinstance(value, Mapping) or len(value) > _MOST_CHANNELS:
        raise PolicyError("channels", f"must be a mapping of at most {_MOST_CHANNELS} names to channels, got {value!r}")
    faults = Faults()
    found = [faults.hear(lambda name=name, item=item: _channel(name, item)) for name, item in value.items()]  # type: ignore[misc]  # bound now
    faults.check()
    return tuple(channel for channel in found if channel is not None)


def _channel(name: object, item: object) -> Channel:
    path = f"channels.{name}"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PolicyError(path, f"must be named by lower-case letters, digits, _ and -, got {name!r}")
    known = (*ChannelKind, "secret")
    if not isinstance(item, Mapping):
        raise PolicyError(path, f"must be a mapping with one of {', '.join(ChannelKind)}, got {item!r}")
    faults = Faults()
    refuse_unknown(path, item, known, faults)
    kinds = [kind for kind in ChannelKind if kind in item]
    faults.check()
    if len(kinds) != 1:
        raise PolicyError(path, f"must hold one of {', '.join(ChannelKind)}, got {', '.join(kinds) or 'none'}")
    kind = kinds[0]
    to = _READERS[kind](f"{path}.{kind}", item[kind])
    return Channel(name=name, kind=kind, to=to, secret=_secret(f"{path}.secret", item.get("secret"), kind))


def _webhook(path: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, str) or not (_URL.fullmatch(value) or is_variable(value)) or len(value) > 2000:
        must = f"must be https://… or the name of a variable {VARIABLE_PREFIX}… that holds it"
        raise PolicyError(path, f"{must}, got {value!r}")
    return (value,)


def _slack(path: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, str) or not is_variable(value):
        must = f"must be the name of a variable {VARIABLE_PREFIX}… that holds the address, which is a secret"
        raise PolicyError(path, must)
    return (value,)


def _email(path: str, value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    is_list = isinstance(given, list) and 0 < len(given) <= _MOST_ADDRESSES
    if not is_list or not all(isinstance(one, str) and _ADDRESS.fullmatch(one) for one in given):  # type: ignore[attr-defined]  # a list
        raise PolicyError(path, f"must be an address such as ops@app.example, or a list of them, got {value!r}")
    return tuple(given)  # type: ignore[arg-type]  # as above


_READERS = {ChannelKind.WEBHOOK: _webhook, ChannelKind.SLACK: _slack, ChannelKind.EMAIL: _email}


def _secret(path: str, value: object, kind: ChannelKind) -> str | None:
    if value is None:
        return None
    if kind is not ChannelKind.WEBHOOK:
        raise PolicyError(path, f"must be given to a webhook alone, which it signs, got one of {kind}")
    if not isinstance(value, str) or not is_variable(value):
        # What came may be the secret itself: it is not said again.
        raise PolicyError(
            path, f"must be the name of a variable {VARIABLE_PREFIX}… that holds it, not the secret itself"
        )
    return value


def channel_document(channel: Channel) -> Json:
    """Return a channel as a document from which the same is read.

    >>> channel_document(parse_channels({"ops": {"email": "a@b.example"}})[0])
    {'email': ['a@b.example']}
    """
    to: object = list(channel.to) if channel.kind is ChannelKind.EMAIL else channel.to[0]
    found: Json = {channel.kind.value: to}
    return found if channel.secret is None else found | {"secret": channel.secret}


def channels_schema() -> Json:
    """Return the JSON Schema of channels.

    >>> channels_schema()["type"]
    'object'
    """
    variable = f"^{_VARIABLE.pattern}$"
    address = {"type": "string", "pattern": f"^{_ADDRESS.pattern}$"}
    webhook = {"anyOf": [{"type": "string", "pattern": f"^{_URL.pattern}$"}, {"type": "string", "pattern": variable}]}
    emails: Json = {"type": "array", "items": address, "minItems": 1, "maxItems": _MOST_ADDRESSES}
    kinds: dict[str, Json] = {
        "webhook": {"webhook": webhook, "secret": {"type": "string", "pattern": variable}},
        "slack": {"slack": {"type": "string", "pattern": variable}},
        "email": {"email": {"anyOf": [address, emails]}},
    }
    return {
        "type": "object",
        "description": "where alerts are said, by name",
        "propertyNames": {"pattern": f"^{_NAME.pattern}$"},
        "maxProperties": _MOST_CHANNELS,
        "additionalProperties": {
            "oneOf": [
                {"type": "object", "properties": properties, "required": [kind], "additionalProperties": False}
                for kind, properties in kinds.items()
            ]
        },
    }
