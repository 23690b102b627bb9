"""Turns what goes wrong on the way to Label Studio into LabelStudioError, with the remedy in its message."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from queue_server.errors import LabelStudioError

_NEW_KEY = (
    "make a personal access token in Label Studio (Account & Settings; a legacy token works only where the "
    "organization allows it) and set LOOKSWRONG_LABEL_STUDIO_API_KEY"
)
_REMEDIES = {
    401: _NEW_KEY,
    403: "its user must be allowed to manage the project: use the token of an owner or administrator",
    404: "the project or task was deleted, or LOOKSWRONG_LABEL_STUDIO_URL is not Label Studio's address",
    413: "a proxy before Label Studio must allow larger bodies",
}
#: 4xx statuses that may pass.
_PASSING = {408, 409, 425, 429}
_LONGEST_DETAIL = 600


@contextmanager
def translated(url: str, *, action: str) -> Iterator[None]:
    """Raise what the SDK raises within as LabelStudioError.

    The original is not chained: it carries the session cookie, which must not reach a log.
    """
    import httpx
    from label_studio_sdk.core.api_error import ApiError
    from label_studio_sdk.core.parse_error import ParsingError

    try:
        yield
    except ApiError as error:
        raise _refused(url, action, error.status_code, error.body) from None
    except httpx.TimeoutException:
        message = f"Label Studio at {url} must answer in time to {action}, got no answer: it may have been done"
        raise LabelStudioError(message) from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        message = f"LOOKSWRONG_LABEL_STUDIO_URL must be a web address, got {url!r}: {error}"
        raise LabelStudioError(message, permanent=True) from None
    except httpx.ConnectError as error:
        message = (
            f"Label Studio must run at {url} to {action}, got {error}: start it, or set LOOKSWRONG_LABEL_STUDIO_URL"
        )
        raise LabelStudioError(message) from None
    except httpx.HTTPError as error:
        message = f"Label Studio at {url} must answer to {action}, got {type(error).__name__}: it may have been done"
        raise LabelStudioError(message) from None
    except (ParsingError, json.JSONDecodeError):
        message = f"Label Studio at {url} must answer JSON to {action}, got something else: is a proxy in between?"
        raise LabelStudioError(message) from None


def _refused(url: str, action: str, status: int | None, body: object) -> LabelStudioError:
    remedy = _REMEDIES.get(status or 0)
    message = f"Label Studio at {url} must {action}, got {status or 'no status'}: {_detail(body)}"
    is_permanent = status is not None and 400 <= status < 500 and status not in _PASSING
    return LabelStudioError(f"{message}; {remedy}" if remedy else message, permanent=is_permanent, status=status)


def _detail(body: object) -> str:
    """Return the sentence in an error's body."""
    if not isinstance(body, dict):
        return str(body or "no reason given")[:_LONGEST_DETAIL]
    faults = body.get("validation_errors")
    detail = str(body.get("detail") or "no reason given")
    return (f"{detail}: {json.dumps(faults, ensure_ascii=False)}" if faults else detail)[:_LONGEST_DETAIL]
