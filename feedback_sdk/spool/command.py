"""`python -m feedback_sdk spool …`: what waits on this machine and what the server refused, while the app runs on."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import time

from feedback_sdk import tokens
from feedback_sdk.errors import FeedbackError
from feedback_sdk.pixels import Shape, encode_png
from feedback_sdk.spool import files, state_folder
from feedback_sdk.spool.quarantine import Quarantine, Refused
from feedback_sdk.spool.segment import Kind, Segment
from feedback_sdk.spool.segments import segment_paths
from feedback_sdk.spool.waiting import Waiting, id_text
from feedback_sdk.wire import canonical_json

_MAX_ANSWER_CHARS = 120


class _UsageError(FeedbackError):
    """What was asked for cannot be done; nothing was changed."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `spool` and what it can do to a parser's commands."""
    spool = commands.add_parser("spool", help="look at what waits here and what the server refused, and act on it")
    spool.set_defaults(run=run)
    actions = spool.add_subparsers(required=True)
    _action(actions, "list", run=_list, about="list segments, waiting images and the quarantine")
    show = _action(actions, "show", run=_show, about="show one refused record and the server's answer")
    show.add_argument("id")
    show.add_argument("--image", metavar="FILE", type=Path, help="write its image there")
    for name, act, about in (
        ("retry", _retry, "put refused records back into the spool: the next sender takes them"),
        ("drop", _drop, "remove refused records for good"),
    ):
        action = _action(actions, name, run=act, about=about)
        action.add_argument("ids", nargs="*", metavar="ID")
        action.add_argument("--all", action="store_true", dest="is_all", help="every refused record")


def run(given: argparse.Namespace) -> int:
    """Run what was asked for; return 0, or 2 with the reason on standard error where it cannot be done."""
    try:
        given.action(_folder(given), given)
    except (_UsageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    *,
    run: Callable[[Path, argparse.Namespace], None],
    about: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=about, description=about)
    parser.add_argument("--spool-dir", default=os.environ.get("LOOKSWRONG_SPOOL_DIR", ""))
    parser.add_argument("--url", default=os.environ.get("LOOKSWRONG_URL", ""))
    parser.add_argument("--api-key", default=os.environ.get("LOOKSWRONG_API_KEY", ""))
    parser.add_argument("--json", action="store_true", dest="is_json", help="one JSON object on standard output")
    parser.set_defaults(action=run)
    return parser


def _folder(given: argparse.Namespace) -> Path:
    if given.spool_dir:
        folder = Path(given.spool_dir)
    elif given.url and given.api_key:
        try:
            folder = state_folder(url=given.url, kid=tokens.split_key(given.api_key)[0])
        except FeedbackError as error:
            raise _UsageError(str(error)) from None
    else:
        raise _UsageError("give --spool-dir, or --url and --api-key, to say whose spool is meant")
    if not folder.is_dir():
        raise _UsageError(f"the spool's folder must exist, got {folder}")
    return folder


def _list(folder: Path, given: argparse.Namespace) -> None:
    found = {
        "folder": str(folder),
        "segments": [about for path in segment_paths(folder) if (about := _segment(path)) is not None],
        "waiting": [
            {"sample_id": id_text(image.sample_id), "since": _time(image.accepted_at_ms), "bytes": image.size_bytes}
            for image in Waiting(folder / "waiting", on_drop=lambda _: None).look()
        ],
        "quarantined": [
            {"id": refused.id, "kind": refused.kind.name.lower(), "at": refused.at, "answer": refused.answer}
            for refused in Quarantine(folder).lines()
        ],
    }
    _print(given, found, text=_list_text(found))


def _list_text(found: Mapping[str, object]) -> str:
    lines = [str(found["folder"])]
    for name, line in (
        ("segments", "  {name}  {owner}  {records} records, {bytes} bytes, oldest {oldest}"),
        ("waiting", "  {sample_id}  {bytes} bytes, since {since}"),
        ("quarantined", "  {id}  {kind}, {at}: {reason}"),
    ):
        rows = found[name]
        assert isinstance(rows, list)
        lines.append(f"{name}: {len(rows) or 'none'}")
        lines += [line.format(**row, reason=_reason(row.get("answer", {}))) for row in rows]
    return "\n".join(lines)


def _segment(path: Path) -> Mapping[str, object] | None:
    segment = Segment.look(path)
    if segment is None:
        return None
    try:
        heads = list(segment.heads(segment.acked))
        is_orphan = files.try_lock(segment.fileno())
    finally:
        segment.close()
    return {
        "name": path.name,
        "owner": "orphan" if is_orphan else "alive",
        "records": len(heads),
        "bytes": sum(head.end - head.start for head in heads),
        "oldest": _time(min(head.accepted_at_ms for head in heads)) if heads else None,
    }


def _show(folder: Path, given: argparse.Namespace) -> None:
    for refused in Quarantine(folder).lines():
        if refused.id == given.id:
            break
    else:
        raise _unknown([given.id])
    if given.image is not None:
        given.image.write_bytes(_image(refused))
    found = {
        "id": refused.id,
        "sample_id": refused.sample_id,
        "kind": refused.kind.name.lower(),
        "at": refused.at,
        "accepted_at": _time(refused.accepted_at_ms),
        "answer": refused.answer,
        "record": refused.record,
        "payload_bytes": len(refused.payload),
    }
    _print(given, found, text=json.dumps(found, indent=2, ensure_ascii=False))


def _image(refused: Refused) -> bytes:
    if not refused.payload:
        raise _UsageError(f"--image wants a record with an image, got a {refused.kind.name.lower()} without one")
    if refused.kind is not Kind.PIXELS:
        return refused.payload
    assert isinstance(refused.record, dict)
    return encode_png(refused.payload, Shape(**refused.record["shape"]))


def _retry(folder: Path, given: argparse.Namespace) -> None:
    made: dict[bool, Segment] = {}

    def put_back(refused: Refused) -> None:
        # What a hook was to see must not reach a sender without one.
        if refused.has_hook not in made:
            made[refused.has_hook] = Segment.create(folder, has_hook=refused.has_hook)
        made[refused.has_hook].append(
            refused.kind,
            _text(refused),
            sample_id=bytes.fromhex(refused.sample_id.replace("-", "")),
            payload=refused.payload,
            accepted_at_ms=_now_ms(),
        )
        made[refused.has_hook].sync()

    try:
        taken = _take_out(folder, given, use=put_back)
    finally:
        for segment in made.values():  # closed, they are orphans: the next sender adopts them
            segment.close()
    _print(given, {"retried": taken}, text=f"{taken} back in the spool")


def _text(refused: Refused) -> bytes:
    """Return a record's JSON. It counts as accepted now, or its age would drop it again; feedback keeps its age."""
    record = refused.record
    if isinstance(record, str):  # what was no JSON stands there as it came
        return record.encode()
    if refused.kind is Kind.FEEDBACK and isinstance(record, dict):
        lain_ms = max(_now_ms() - refused.accepted_at_ms, 0)
        record = {**record, "age_ms": int(record.get("age_ms", 0)) + lain_ms}
    return canonical_json(record)


def _drop(folder: Path, given: argparse.Namespace) -> None:
    taken = _take_out(folder, given, use=lambda _: None)
    _print(given, {"dropped": taken}, text=f"{taken} removed")


def _take_out(folder: Path, given: argparse.Namespace, *, use: Callable[[Refused], None]) -> int:
    ids = frozenset(given.ids)
    if bool(ids) == given.is_all:
        raise _UsageError("give ids or --all, and not both")
    quarantine = Quarantine(folder)
    if unknown := ids - {refused.id for refused in quarantine.lines()}:
        raise _unknown(sorted(unknown))
    return quarantine.take_out(lambda refused: given.is_all or refused.id in ids, use=use)


def _unknown(ids: Sequence[str]) -> _UsageError:
    return _UsageError(f"every id must be in the quarantine (see `spool list`), got {', '.join(ids)}")


def _reason(answer: Mapping[str, object]) -> str:
    reason = answer.get("error") or f"status {answer.get('status')} {answer.get('body', '')}"
    return " ".join(str(reason).split())[:_MAX_ANSWER_CHARS]


def _print(given: argparse.Namespace, found: Mapping[str, object], *, text: str) -> None:
    sys.stdout.write((json.dumps(found, ensure_ascii=False) if given.is_json else text) + "\n")


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def _now_ms() -> int:
    return int(time() * 1000)
