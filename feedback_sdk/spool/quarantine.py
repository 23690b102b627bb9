"""What the server refused for good: a file of JSON lines that a person can read, send again or throw away.

Every access holds the lock of a file beside it, so that the command line may rewrite the file while apps append to it.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from json import dumps, loads
from pathlib import Path
from typing import NamedTuple

from feedback_sdk.spool import files
from feedback_sdk.spool.segment import Kind, Record
from feedback_sdk.spool.waiting import id_text

QUARANTINE = "quarantine.jsonl"
#: A rewrite of the largest file takes less.
_LOCK_SECONDS = 10.0
_MAX_REASON_CHARS = 400


class Refused(NamedTuple):
    """One line of the quarantine file."""

    #: of the sample or the feedback itself
    id: str
    #: of a feedback: the sample that it speaks of
    sample_id: str
    kind: Kind
    at: str
    #: {"status", "body"} of the server, or {"error"} of this side
    answer: Mapping[str, object]
    record: object
    payload_base64: str
    accepted_at_ms: int
    #: only a client with before_send may send it
    has_hook: bool

    @property
    def payload(self) -> bytes:
        """Return the image's bytes, or the raw pixels."""
        return b64decode(self.payload_base64)


def noun(kind: Kind) -> str:
    """Return what a person calls a record.

    >>> noun(Kind.PIXELS)
    'sample'
    """
    return "feedback" if kind is Kind.FEEDBACK else "sample"


def answer_document(answer: Mapping[str, object]) -> Mapping[str, object]:
    """Return an answer with the JSON of its body as JSON.

    >>> answer_document({"status": 409, "body": '{"title": "no"}'})
    {'status': 409, 'body': {'title': 'no'}}
    """
    body = answer.get("body")
    return {**answer, "body": _readable(body.encode())} if isinstance(body, str) else answer


def reason(answer: Mapping[str, object]) -> str:
    """Return why a record was refused, in one line: each field and what must hold there (RFC 9457), or what else came.

    >>> reason({"status": 422, "body": '{"title": "no", "errors": [{"field": "tags[0]", "message": "must be short"}]}'})
    'status 422: tags[0] must be short'
    """
    if answer.get("error"):
        return _one_line(answer["error"])
    body = answer_document(answer).get("body", "")
    said = "; ".join(_said(body)) if isinstance(body, dict) else ""
    return _one_line(f"status {answer.get('status')}: {said or answer.get('body') or 'without a reason'}")


def _said(problem: Mapping[str, object]) -> Iterator[str]:
    errors = problem.get("errors")
    faults = [fault for fault in errors if isinstance(fault, dict)] if isinstance(errors, list) else []
    if not faults:
        faults = [{"message": problem.get("detail") or problem.get("title") or ""}]
    for fault in faults:
        yield f"{fault.get('field') or ''} {fault.get('message', '')}".strip()


def _one_line(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _MAX_REASON_CHARS else f"{line[:_MAX_REASON_CHARS]}…"


class Quarantine:
    """The quarantine file of one spool folder, for any number of processes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / QUARANTINE
        self._lock_path = folder / "quarantine.lock"

    def add(self, record: Record, answer: Mapping[str, object], *, has_hook: bool, max_bytes: int) -> bool:
        """Append a record with the answer that it got; False where it cannot be kept."""
        parts = _line(record, answer, has_hook=has_hook)
        size = sum(len(part) for part in parts)
        try:
            with files.held(self._lock_path, seconds=_LOCK_SECONDS):
                if files.size_of(self.path) + size > max_bytes:
                    return False
                _append(self.path, parts, size=size)
        except OSError:
            return False
        return True

    def lines(self) -> Iterator[Refused]:
        """Yield every line; the lock is held until the last is taken."""
        with files.held(self._lock_path, seconds=_LOCK_SECONDS):
            yield from (refused for _, refused in self._read() if refused is not None)

    def take_out(self, is_meant: Callable[[Refused], bool], *, use: Callable[[Refused], None]) -> int:
        """Use each line that is meant, then rewrite the file without them; return how many.

        Where `use` raises or the process dies, the file is as it was.
        """
        fresh = self.path.with_suffix(".new")
        taken = 0
        with files.held(self._lock_path, seconds=_LOCK_SECONDS):
            with fresh.open("wb") as file:
                for line, refused in self._read():
                    if refused is not None and is_meant(refused):
                        use(refused)
                        taken += 1
                    else:
                        file.write(line)
                file.flush()
                files.sync(file.fileno())
            fresh.replace(self.path)
        return taken

    def _read(self) -> Iterator[tuple[bytes, Refused | None]]:
        """Yield each line as it is and as it is understood; a torn one is kept, not understood."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for line in file:
                yield line, _refused(line)


def _line(record: Record, answer: Mapping[str, object], *, has_hook: bool) -> tuple[bytes, ...]:
    """Return a line in parts, so that the image lies in memory once more and not four times."""
    readable = _readable(record.text)
    sample_id = id_text(record.sample_id)
    fields = {
        "id": _id_of(readable, record.kind) or sample_id,
        "sample_id": sample_id,
        "kind": record.kind.name.lower(),
        "at": datetime.now(UTC).isoformat(),
        "answer": answer,
        "record": readable,
        "accepted_at_ms": record.accepted_at_ms,
        "has_hook": has_hook,
    }
    head = dumps(fields, ensure_ascii=False)[:-1].encode(errors="replace")
    return head, b', "payload_base64": "', b64encode(record.payload), b'"}\n'


def _append(path: Path, parts: tuple[bytes, ...], *, size: int) -> None:
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | files.BINARY, 0o600)
    try:
        end = os.fstat(fd).st_size
        if end and files.read_at(fd, end - 1, 1) != b"\n":  # a process died in the middle of its line
            parts, size = (b"\n", *parts), size + 1
        files.append(fd, parts, size=size)
    finally:
        os.close(fd)


def _readable(text: bytes) -> object:
    try:
        value: object = loads(text)
    except ValueError:
        return text.decode(errors="replace")
    return value


def _id_of(record: object, kind: Kind) -> str | None:
    found = record.get("id") if kind is Kind.FEEDBACK and isinstance(record, dict) else None
    return found if isinstance(found, str) else None


def _refused(line: bytes) -> Refused | None:
    try:
        fields = loads(line)
        return Refused(**{**fields, "kind": Kind[fields["kind"].upper()]})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
