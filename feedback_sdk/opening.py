"""Put a client's parts together from its options: spool, transport, preparation, sender."""

import os
from datetime import timedelta
from pathlib import Path

from feedback_sdk import tokens
from feedback_sdk.drops import Drops, warn
from feedback_sdk.options import Options, is_switched_on
from feedback_sdk.preparation import Preparation
from feedback_sdk.refusals import GuardedTransport
from feedback_sdk.sender import Sender, SenderOptions, Upload
from feedback_sdk.spool import Spool, state_folder
from feedback_sdk.spool.neighbours import neighbours
from feedback_sdk.transport import DryRunTransport, HttpTransport, Transport

_MAX_SPOOL_BYTES = 256 << 20
_MAX_SPOOL_AGE = timedelta(days=30)


def needs_no_server(options: Options) -> bool:
    """Return whether a client goes without a URL and a key: it has its own way, or sends nothing."""
    return options.get("transport") is not None or _is_dry(options)


def open_sender(
    url: str, api_key: str, *, spool_dir: str | os.PathLike[str] | None, options: Options, drops: Drops
) -> Sender:
    """Return a sender on its spool; raise FeedbackError where the options do not allow one."""
    kid = tokens.split_key(api_key)[0] if api_key else ""
    is_dry = _is_dry(options)
    transport = _transport(url, options, is_dry=is_dry)
    folder = Path(spool_dir) if spool_dir else state_folder(url=url, kid=kid)
    if not spool_dir:
        _tell_of_neighbours(folder)
    before_send = options.get("before_send")
    spool = Spool(
        # what a dry run took must not be taken for sent, nor what waits for the real server be taken by a dry run
        folder / "dry-run" if is_dry else folder,
        max_bytes=options.get("max_spool_bytes", _MAX_SPOOL_BYTES),
        max_age_seconds=options.get("max_spool_age", _MAX_SPOOL_AGE).total_seconds(),
        on_drop=drops.tell,
        syncs_each_record=options.get("durability") == "record",
        has_hook=before_send is not None,
    )
    preparation = Preparation(
        spool=spool,
        drops=drops,
        before_send=before_send,
        max_image_side=options.get("max_image_side"),
        collapse=options.get("collapse"),
    )
    return Sender(spool, transport, options=_sender_options(api_key, options), drops=drops, preparation=preparation)


def _tell_of_neighbours(folder: Path) -> None:
    """Say where captures lie that a replaced key has left: nobody else sends them."""
    for left in neighbours(folder):
        warn(f"captures for this server wait under another key; if it was replaced, spool_dir={str(left)!r} sends them")


def _is_dry(options: Options) -> bool:
    return options.get("dry_run", False) or is_switched_on("LOOKSWRONG_DRY_RUN")


def _transport(url: str, options: Options, *, is_dry: bool) -> Transport:
    if is_dry:
        return DryRunTransport()
    own = options.get("transport")
    if own is not None:
        return GuardedTransport(own)
    ca_bundle = options.get("ca_bundle") or os.environ.get("LOOKSWRONG_CA_BUNDLE")
    return HttpTransport(
        url,
        timeout_seconds=options.get("timeout_seconds", 10.0),
        ca_bundle=os.fspath(ca_bundle) if ca_bundle else None,
    )


def _sender_options(api_key: str, options: Options) -> SenderOptions:
    return SenderOptions(
        api_key=api_key,
        upload=Upload(options.get("upload", "always")),
        max_bytes_per_second=options.get("max_bytes_per_second"),
        status_poll_seconds=options.get("status_poll_seconds", 30.0),
    )
