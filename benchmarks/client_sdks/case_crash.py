"""What our client has acknowledged must arrive: through many kills, and through a full disk."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from benchmarks.client_sdks.bench import Bench, rows
from benchmarks.client_sdks.children import Child, child
from benchmarks.client_sdks.figures import Row
from benchmarks.client_sdks.libraries import OURS
from benchmarks.client_sdks.servers import Books, Server, serving
from benchmarks.client_sdks.tasks import Task

_IMAGE_BYTES = 20_000
_FIRST_NUMBERS = 100_000
_DRAIN_SECONDS = 180.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Accepted:
    """What the client said, on return, that it has."""

    #: id -> hash of its metadata or comment
    contents: dict[str, str] = field(default_factory=dict)
    #: id -> hash of its image
    images: dict[str, str] = field(default_factory=dict)

    def hear_all(self, one: Child, *, until: str = "") -> None:
        """Take what a child says until its end, or until it tells of a step."""
        while (said := one.hear_any(seconds=120.0)) is not None:
            if until and said.text("step") == until:
                return
            if said.text("id"):
                self.contents[said.text("id")] = said.text("content")
                if said.text("image"):
                    self.images[said.text("id")] = said.text("image")

    def missing(self, books: Books) -> int:
        """Return how much the server does not have, of what was accepted."""
        return len(self.contents.keys() - (books.samples | books.feedback))

    def altered(self, books: Books) -> int:
        """Return how much the server has with other content."""
        arrived = self.contents.keys() & (books.samples | books.feedback)
        return sum(
            books.contents[one] != self.contents[one] or books.images.get(one, "") != self.images.get(one, "")
            for one in arrived
        )


def crash(bench: Bench) -> Sequence[Row]:
    """Kill a capturing child at random times, again and again, on one spool; then let a clean process send."""
    accepted, random = _Accepted(), Random(20261120)
    with serving("refuse") as server:
        task = replace(bench.task("crash", OURS, server.url), pause_seconds=0.001, image_bytes=_IMAGE_BYTES)
        for number in range(bench.sizes.kills):
            bench.tell(f"crash: kill {number + 1} of {bench.sizes.kills}")
            server.order(random.choice(("ok", "ok", "refuse", "500")))
            with child(replace(task, first=number * _FIRST_NUMBERS)) as one:
                one.hear("ready")
                time.sleep(random.uniform(0.02, 0.6))
                one.kill()
                accepted.hear_all(one)
        server.order("ok")
        books = _drained(server, task, accepted)
    return rows(
        OURS,
        **{
            "kills": bench.sizes.kills,
            "acknowledged": len(accepted.contents),
            "acknowledged with image": len(accepted.images),
            "acknowledged and missing": accepted.missing(books),
            "altered": accepted.altered(books),
            "conflicts": books.conflicts,
        },
    )


def _drained(server: Server, task: Task, accepted: _Accepted) -> Books:
    give_up_at = time.monotonic() + _DRAIN_SECONDS
    with child(replace(task, action="send")):
        while accepted.missing(books := server.books()) and time.monotonic() < give_up_at:
            time.sleep(1.0)
    return books


def disk(bench: Bench) -> Sequence[Row]:
    """Fill the disk under the spool; all that was accepted must arrive byte for byte, and nothing else."""
    bench.tell("disk: full")
    accepted = _Accepted()
    with _small_disk(bench) as small, serving("refuse") as server:
        task = replace(
            bench.task("fill", OURS, server.url),
            spool=str(small / "spool"),
            count=_FIRST_NUMBERS,
            image_bytes=_IMAGE_BYTES,
            file_bytes=0 if os.path.ismount(small) else bench.sizes.disk_bytes // 4,
        )
        with child(task) as one:
            accepted.hear_all(one, until="full")
            server.order("ok")
            one.tell()
            one.hear("flushed")
            books = server.books()
        return rows(
            OURS,
            **{
                "by": "tmpfs" if os.path.ismount(small) else "RLIMIT_FSIZE",
                "accepted": len(accepted.contents),
                "accepted and missing": accepted.missing(books),
                "altered": accepted.altered(books),
                "arrived and not accepted": len(books.samples - accepted.contents.keys()),
            },
        )


@contextmanager
def _small_disk(bench: Bench) -> Iterator[Path]:
    """Give a folder on a disk of its own where this user may mount one; else a plain folder."""
    folder = bench.folder / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={bench.sizes.disk_bytes}", "tmpfs", str(folder)]
    may_mount = sys.platform == "linux" and os.geteuid() == 0
    is_mounted = may_mount and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield folder
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)
