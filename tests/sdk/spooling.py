"""What the tests of the spool share."""

from feedback_sdk.spool import Spool
from feedback_sdk.spool.segment import Kind

MIB = 1 << 20


def put(spool: Spool, *texts: bytes, kind: Kind = Kind.SAMPLE, payload: bytes = b"") -> None:
    for text in texts:
        spool.append(kind, text[:16].rjust(16), text, payload)


def drain(spool: Spool) -> list[bytes]:
    found = []
    while (record := spool.next()) is not None:
        found.append(record.text)
        spool.done(record)
    return found


def files(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.folder.iterdir())
