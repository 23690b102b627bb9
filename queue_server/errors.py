"""The tree of the server's errors; each carries the datum that its caller acts on.

ServerError
├── ProblemError(status, errors, retry_after_seconds)  becomes an answer: application/problem+json
├── SettingsError                        the process cannot run with these settings
├── PolicyError(field, faults)           a project file breaks a rule
├── ScopeError                           scopes that one key may not have together
├── ImageError(field)                    bytes that are no image we take
├── BlobError                            the image store does not answer, or is full
├── LabelStudioError(permanent, status)  Label Studio refused, or could not be reached
├── AlertError(field, is_missing)        what a person wants of an alert cannot be
├── FigureError                          a figure that cannot be read as an alert asks for it
├── NotifyError(permanent, status)       a channel refused a message, or could not be reached
├── ExportError                          a format that cannot hold the task, an unknown format
└── ProcessError                         a process that we started did not come up
"""

from collections.abc import Sequence
from dataclasses import dataclass


class ServerError(Exception):
    """Base of every error of this package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldError:
    """One fault of a request or a file: where it is, and what must hold and what came."""

    field: str
    message: str
    #: of a file's text, from 1; None: not known
    line: int | None = None

    def __str__(self) -> str:
        """Return it as a person reads it: the line, the path, the message."""
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.field) if part)
        return f"{place}: {self.message}" if place else self.message


class ProblemError(ServerError):
    """A request that cannot be served, with its HTTP status, the faults by field, and when to try again."""

    def __init__(
        self, status: int, title: str, errors: tuple[FieldError, ...] = (), *, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds


class SettingsError(ServerError):
    """A setting is missing, wrong, or does not fit the database."""


class PolicyError(ServerError):
    """A project file that breaks a rule; `faults` holds all that was found, `field` the path of the first."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.message = message
        self.faults: tuple[FieldError, ...] = (FieldError(field=field, message=message),)

    @classmethod
    def of(cls, faults: Sequence[FieldError]) -> "PolicyError":
        """Return one error that tells of all these faults."""
        error = cls(faults[0].field, faults[0].message)
        error.faults = tuple(faults)
        error.args = ("\n".join(map(str, faults)),)
        return error


class ScopeError(ServerError):
    """Scopes that one key may not have together."""


class ImageError(ServerError):
    """Bytes that are not an image which the server takes."""


class BlobError(ServerError):
    """The image store cannot take or give bytes now."""


class LabelStudioError(ServerError):
    """Label Studio refused a call or could not be reached.

    `permanent`: the same call would fail again; `status` is None when no answer came.
    """

    def __init__(self, message: str, *, permanent: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.status = status


class AlertError(ServerError):
    """What a person wants of an alert cannot be done; `is_missing`: there is no such alert."""

    def __init__(self, message: str, *, field: str = "name", is_missing: bool = False) -> None:
        super().__init__(message)
        self.field = field
        self.is_missing = is_missing


class FigureError(ServerError):
    """A figure that cannot be read: of a slice that is gone, of another task, not measured here."""


class NotifyError(ServerError):
    """A channel refused a message or could not be reached; never with the channel's address, which may be a secret.

    `permanent`: the same message would be refused again; `status` is None when no answer came.
    """

    def __init__(self, message: str, *, permanent: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.status = status


class ExportError(ServerError):
    """An export that cannot be made as asked."""


class ProcessError(ServerError):
    """A process that we started did not come up or did not stop."""
