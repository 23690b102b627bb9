"""The tree of the server's errors; each carries the datum that its caller acts on.

ServerError
├── ProblemError(status, errors)         becomes an answer: application/problem+json
├── SettingsError                        the process cannot run with these settings
├── PolicyError(field)                   a project file breaks a rule
├── ImageError(field)                    bytes that are no image we take
├── BlobError                            the image store does not answer, or is full
├── LabelStudioError(permanent, status)  Label Studio refused, or could not be reached
├── ExportError                          a format that cannot hold the task, an unknown format
└── ProcessError                         a process that we started did not come up
"""

from dataclasses import dataclass


class ServerError(Exception):
    """Base of every error of this package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldError:
    """One fault of a request: where it is, and what must hold and what came."""

    field: str
    message: str


class ProblemError(ServerError):
    """A request that cannot be served, with its HTTP status and the faults by field."""

    def __init__(self, status: int, title: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.errors = errors


class SettingsError(ServerError):
    """A setting is missing, wrong, or does not fit the database."""


class PolicyError(ServerError):
    """A project file that breaks a rule; `field` is the path of what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.message = message


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


class ExportError(ServerError):
    """An export that cannot be made as asked."""


class ProcessError(ServerError):
    """A process that we started did not come up or did not stop."""
