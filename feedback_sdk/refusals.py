"""The boundary to the app: its own functions guarded, and every fault told as a drop without what the user typed."""

from collections.abc import Callable, Mapping

from feedback_sdk.drops import Drop, DropReason, warn
from feedback_sdk.errors import FeedbackError, SpoolError, TransportError, ValidationError, place_of
from feedback_sdk.spool import SpoolFullError
from feedback_sdk.transport import Request, Response, Transport


class ClosedError(FeedbackError):
    """The client was closed before this call."""


class GuardedTransport:
    """The app's own transport, with whatever it raises turned into what the sender can retry."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, request: Request) -> Response:
        """Send by the app's transport; raise TransportError alone."""
        try:
            return self._transport.send(request)
        except TransportError:
            raise
        except Exception as error:  # the boundary, seen from the sender's thread
            raise TransportError(f"a transport must raise TransportError alone, got {type(error).__name__}") from error


def guarded_listener(on_drop: Callable[[Drop], None] | None) -> Callable[[Drop], None]:
    """Return a listener that never raises."""

    def listen(drop: Drop) -> None:
        try:
            if on_drop is not None:
                on_drop(drop)
        except Exception as error:  # the boundary: the app's listener must not break the app's call
            warn(f"on_drop must not raise, got {type(error).__name__}")

    return listen


def drop_of(error: Exception, *, method: str) -> Drop:
    """Describe a fault without what the user typed: our own messages name fields and bounds, others may not.

    >>> drop_of(KeyError("a secret"), method="reject").message
    'reject must succeed, got KeyError'
    """
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return Drop(reason=reason, message=str(error))
    if isinstance(error, OSError):
        return Drop(reason=DropReason.INVALID, message=f"image must be a readable file, got: {error.strerror}")
    is_of_arguments = isinstance(error, ValueError | AttributeError | ArithmeticError)
    reason = DropReason.INVALID if is_of_arguments else DropReason.INTERNAL
    return Drop(reason=reason, message=f"{method} must succeed, got {type(error).__name__}{place_of(error)}")


_REASONS: Mapping[type[Exception], DropReason] = {
    ValidationError: DropReason.INVALID,
    TypeError: DropReason.INVALID,
    SpoolFullError: DropReason.SPOOL_FULL,
    SpoolError: DropReason.DISK,
    ClosedError: DropReason.CLOSED,
}
