"""`python -m feedback_sdk spool …`: what waits on this machine and what the server refused, while the app runs on."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import time

from feedback_sdk import tokens
from feedback_sdk.errors import FeedbackError
from feedback_sdk.pixels import Shape, encode_png
from feedback_sdk.spool import state_folder
from feedback_sdk.spool.neighbours import Unsent, neighbours, unsent
from feedback_sdk.spool.quarantine import Quarantine, Refused, answer_document, noun, reason
from feedback_sdk.spool.segment import Kind, Segment
from feedback_sdk.spool.waiting import Waiting, WaitingImage, id_text
from feedback_sdk.wire import canonical_json

_AGES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB"), (1, "bytes"))


class _UsageError(FeedbackError):
    """What was asked for cannot be done; nothing was changed."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `spool` and what it can do to a parser's commands."""
    about = "look at what is not sent yet and what the server refused, and act on it; the app may run on meanwhile"
    spool = commands.add_parser("spool", help=about, description=about)
    spool.set_defaults(run=run)
    actions = spool.add_subparsers(required=True)
    _action(
        actions, "list", run=_list, about="list what is not sent yet, the images held, and what was refused and why"
    )
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
    except BrokenPipeError:
        raise
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
    add_place_to(parser)
    parser.add_argument("--json", action="store_true", dest="is_json", help="one JSON object on standard output")
    parser.set_defaults(action=run)
    return parser


def add_place_to(parser: argparse.ArgumentParser) -> None:
    """Add what says which server, key and folder are meant."""
    for option, name, about in (
        ("--url", "LOOKSWRONG_URL", "the server's address"),
        ("--api-key", "LOOKSWRONG_API_KEY", "the app's key"),
        ("--spool-dir", "LOOKSWRONG_SPOOL_DIR", "the app's spool folder, if it has one of its own"),
    ):
        parser.add_argument(option, default=os.environ.get(name, ""), help=f"{about}; else {name}")


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
        left = "".join(f"; under another key of this server captures wait in {path}" for path in neighbours(folder))
        raise _UsageError(f"the spool's folder must exist, got {folder}{left}")
    return folder


def _list(folder: Path, given: argparse.Namespace) -> None:
    segments = unsent(folder)
    held = Waiting(folder / "waiting", on_drop=lambda _: None).look()
    refused = list(Quarantine(folder).lines())
    beside = {str(path): unsent(path) for path in neighbours(folder)}
    found = {
        "folder": str(folder),
        "segments": [_segment_fields(segment) for segment in segments],
        "waiting": [
            {"sample_id": id_text(image.sample_id), "since": _time(image.accepted_at_ms), "bytes": image.size_bytes}
            for image in held
        ],
        "quarantined": [{"id": one.id, "kind": noun(one.kind), "at": one.at, "answer": one.answer} for one in refused],
        "neighbours": [
            {"folder": path, "segments": [_segment_fields(segment) for segment in there]}
            for path, there in beside.items()
        ],
    }
    lines = [
        *_unsent_lines(segments),
        *_held_lines(held),
        *_refused_lines(refused),
        *(_neighbour_line(path, there) for path, there in beside.items()),
        f"folder: {folder}",
    ]
    _print(given, found, text="\n".join(lines))


def _segment_fields(segment: Unsent) -> Mapping[str, object]:
    return {
        "name": segment.name,
        "owner": "alive" if segment.is_owned else "orphan",
        "records": segment.captures + segment.feedback,
        "bytes": segment.size_bytes,
        "oldest": None if segment.oldest_ms is None else _time(segment.oldest_ms),
    }


def _unsent_lines(segments: Sequence[Unsent]) -> Iterator[str]:
    oldest_ms = min((segment.oldest_ms for segment in segments if segment.oldest_ms is not None), default=None)
    if oldest_ms is None:
        yield "not sent yet: none"
        return
    yield f"not sent yet: {_amount(segments)}, oldest {_ago(oldest_ms)}"
    for is_owned, whose in (
        (True, "of a running app"),
        (False, "left by an app that ended, which the next client sends"),
    ):
        part = [segment for segment in segments if segment.is_owned is is_owned and segment.oldest_ms is not None]
        if part:
            yield f"  {_amount(part)}: {whose}"


def _held_lines(held: Sequence[WaitingImage]) -> Iterator[str]:
    yield f"images held until the server wants them: {len(held) or 'none'}"
    for image in held:
        yield f"  {id_text(image.sample_id)}  {_size(image.size_bytes)}, since {_time(image.accepted_at_ms)}"


def _refused_lines(refused: Sequence[Refused]) -> Iterator[str]:
    by_server = [one for one in refused if "error" not in one.answer]
    here = [one for one in refused if "error" in one.answer]
    yield f"refused by the server: {len(by_server) or 'none'}"
    yield from map(_refused_line, by_server)
    if here:
        yield f"refused on this machine: {len(here)}"
        yield from map(_refused_line, here)


def _refused_line(refused: Refused) -> str:
    return f"  {refused.id}  {noun(refused.kind)}, {refused.at[:19]}+00:00, {reason(refused.answer)}"


def _neighbour_line(folder: str, segments: Sequence[Unsent]) -> str:
    return (
        f"{_counts(segments)} wait in {folder} under another key of this server: if that key was replaced, "
        f"`spool list --spool-dir {folder}` shows them, and a client with spool_dir={folder!r} sends them"
    )


def _show(folder: Path, given: argparse.Namespace) -> None:
    for refused in Quarantine(folder).lines():
        if refused.id == given.id:
            break
    else:
        raise _unknown(folder, [given.id])
    if given.image is not None:
        given.image.write_bytes(_image(refused))
    found = {
        "id": refused.id,
        "sample_id": refused.sample_id,
        "kind": noun(refused.kind),
        "at": refused.at,
        "accepted_at": _time(refused.accepted_at_ms),
        "answer": answer_document(refused.answer),
        "record": refused.record,
        "payload_bytes": len(refused.payload),
    }
    _print(given, found, text=json.dumps(found, indent=2, ensure_ascii=False))


def _image(refused: Refused) -> bytes:
    if not refused.payload:
        raise _UsageError(f"--image wants a record with an image, got a {noun(refused.kind)} without one")
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
    _print(given, {"retried": taken}, text=_retried_text(taken))


def _retried_text(taken: int) -> str:
    if not taken:
        return "0 back in the spool: nothing was refused"
    them = "it" if taken == 1 else "them"
    return f"{taken} back in the spool: a running app sends {them} within 10 s, else the next one that starts"


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
        raise _unknown(folder, sorted(unknown))
    return quarantine.take_out(lambda refused: given.is_all or refused.id in ids, use=use)


def _unknown(folder: Path, ids: Sequence[str]) -> _UsageError:
    for image in Waiting(folder / "waiting", on_drop=lambda _: None).look():
        if id_text(image.sample_id) in ids:
            about = f"{_size(image.size_bytes)}, since {_time(image.accepted_at_ms)}"
            what = f"an image held until the server wants it ({about}): its sample was sent, nothing of it was refused"
            return _UsageError(f"{id_text(image.sample_id)} is {what}")
    return _UsageError(f"every id must be of a refused record (see `spool list`), got {', '.join(ids)}")


def _amount(segments: Sequence[Unsent]) -> str:
    return f"{_counts(segments)}, {_size(sum(segment.size_bytes for segment in segments))}"


def _counts(segments: Sequence[Unsent]) -> str:
    captures, feedback = sum(one.captures for one in segments), sum(one.feedback for one in segments)
    counts = [(captures, "capture"), (feedback, "feedback")]
    return " and ".join(f"{number} {name}{'s' * (number != 1)}" for number, name in counts if number)


def _size(size_bytes: int) -> str:
    unit, name = next((pair for pair in _SIZES if size_bytes >= pair[0]), (1, "bytes"))
    return f"{size_bytes // unit} {name}"


def _ago(at_ms: int) -> str:
    seconds = max(_now_ms() - at_ms, 0) // 1000
    unit, name = next((pair for pair in _AGES if seconds >= pair[0]), (1, "s"))
    return f"{seconds // unit} {name} ago"


def _print(given: argparse.Namespace, found: Mapping[str, object], *, text: str) -> None:
    sys.stdout.write((json.dumps(found, ensure_ascii=False) if given.is_json else text) + "\n")


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def _now_ms() -> int:
    return int(time() * 1000)
