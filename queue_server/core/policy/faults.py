"""Collect what is wrong with a file, so that a person hears all of it at once."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from queue_server.errors import FieldError, PolicyError

T = TypeVar("T")


class Faults:
    """Collects what is wrong, so that a person hears all of it at once."""

    def __init__(self) -> None:
        self._found: list[FieldError] = []

    def hear(self, work: Callable[[], T]) -> T | None:
        """Do the work; a PolicyError is kept, and None returned in its place."""
        try:
            return work()
        except PolicyError as error:
            self._found += error.faults
            return None

    def add(self, path: str, message: str) -> None:
        """Keep one fault."""
        self._found.append(FieldError(field=path, message=message))

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._found)

    def check(self) -> None:
        """Raise PolicyError if there is any."""
        if self._found:
            raise PolicyError.of(self._found)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at the known word that was probably meant, or nothing.

    >>> nearest("treshold", ["threshold", "rate"])
    ': did you mean threshold?'
    """
    found = difflib.get_close_matches(word, list(known), n=1)
    return f": did you mean {found[0]}?" if found else ""


def refuse_unknown(path: str, item: Mapping[object, object], known: Iterable[str], faults: Faults) -> None:
    """Add a fault for each key that is not known, with the one that was probably meant.

    >>> faults = Faults()
    >>> refuse_unknown("", {"rules": []}, ["rules"], faults)
    >>> bool(faults)
    False
    """
    known = tuple(known)
    for key in item:
        if key not in known:
            message = f"is not known here, must be one of {', '.join(known)}{nearest(str(key), known)}"
            faults.add(f"{path}.{key}" if path else str(key), message)
