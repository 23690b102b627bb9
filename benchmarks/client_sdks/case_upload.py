"""How many bytes go out when only the wanted images are sent."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.client_sdks.bench import Bench, rows
from benchmarks.client_sdks.children import BenchmarkError, child
from benchmarks.client_sdks.figures import Row
from benchmarks.client_sdks.libraries import OURS
from benchmarks.client_sdks.servers import Books, serving
from benchmarks.client_sdks.tasks import IMAGE_BYTES, WANTED_PERCENT


def upload(bench: Bench) -> Sequence[Row]:
    """Send samples with images both ways; the server wants a few of a hundred."""
    bench.tell(f"upload: {bench.sizes.uploads} samples of {IMAGE_BYTES} bytes, both ways")
    try:
        always, wanted = _sent(bench, "always"), _sent(bench, "when_wanted")
    except BenchmarkError as error:
        if "upload" not in str(error):
            raise
        return rows(OURS, skipped="this FeedbackClient has no option `upload`")
    return rows(
        OURS,
        **{
            "wanted percent": WANTED_PERCENT,
            "always: MB": always.received_bytes / 1e6,
            "when_wanted: MB": wanted.received_bytes / 1e6,
            "when_wanted: share": wanted.received_bytes / always.received_bytes,
            "always: images": len(always.images),
            "when_wanted: images": len(wanted.images),
            "when_wanted: samples": len(wanted.samples),
        },
    )


def _sent(bench: Bench, upload: str) -> Books:
    with serving() as server:
        task = replace(
            bench.task("upload", OURS, server.url), count=bench.sizes.uploads, image_bytes=IMAGE_BYTES, upload=upload
        )
        with child(task) as one:
            one.hear("flushed")
        return server.books()
