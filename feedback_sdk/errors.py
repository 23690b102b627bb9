"""The tree of errors. Inside the host app none of them leaves a `FeedbackClient` method.

FeedbackError
├── ValidationError(field, message)        a value breaks the wire format; also a ValueError
├── TransportError(status, permanent, …)   the server refused, or could not be reached
├── PreparationError                       a capture cannot be made ready for sending; it must not go out
└── SpoolError                             the disk spool cannot take or read a record
"""

import os


class FeedbackError(Exception):
    """Base of every error of this package."""


class ValidationError(FeedbackError, ValueError):
    """A value that the wire format does not allow.

    `field` is the path of the value below the object that was built (`"x_min"`, `"boxes.3.label"`);
    `message` says what must hold, then what came.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class TransportError(FeedbackError):
    """A request that brought no success.

    `permanent` errors must not be tried again; `status` is None when no answer came;
    `retry_after_seconds` is what the server asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        permanent: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.permanent = permanent
        self.retry_after_seconds = retry_after_seconds


class SpoolError(FeedbackError):
    """The spool cannot take a record or read one back."""


class PreparationError(FeedbackError):
    """A capture that cannot be made ready as the app wants it, so it must not be sent as it is."""


def place_of(error: BaseException) -> str:
    """Return where an error was raised, which helps and holds nothing of the user's; "" where that is not known."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f" at {trace.tb_frame.f_code.co_filename.rpartition(os.sep)[2]}:{trace.tb_lineno}"
