"""Tasks that only our client can be given: it alone names, on return, what it has accepted."""

import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from itertools import count
from random import Random
from uuid import UUID

from benchmarks.client_sdks.child_captures import await_word, say, setup_of
from benchmarks.client_sdks.libraries import quiet_logs
from benchmarks.client_sdks.looks_wrong import digest
from benchmarks.client_sdks.ours import client, prediction_of
from benchmarks.client_sdks.tasks import Task, event_of, marker
from feedback_sdk import FeedbackClient

_FLUSH_SECONDS = 60.0
_REFUSALS_IN_A_ROW = 20


def _open(task: Task) -> FeedbackClient:
    quiet_logs()
    return client(setup_of(task))


def _crash(task: Task) -> None:
    """Capture until killed: samples with and without images, feedback; name each after its call returned."""
    looks_wrong = _open(task)
    say(step="ready")
    for number in count(task.first):
        _accept(looks_wrong, task, number=number, image_bytes=task.image_bytes if number % 4 == 0 else 0)
        if number % 3 == 0:
            _comment(looks_wrong, marker(task.run, number))
        time.sleep(task.pause_seconds)


def _comment(looks_wrong: FeedbackClient, text: str) -> None:
    sample_id = looks_wrong.log_prediction(None, None, metadata={})
    feedback_id = looks_wrong.reject(sample_id, comment=text) if sample_id else None
    if feedback_id:
        say(id=feedback_id, content=digest(text), image="", kind="feedback")


def _accept(looks_wrong: FeedbackClient, task: Task, *, number: int, image_bytes: int) -> bool:
    random = Random(number)
    image = b"\xff\xd8\xff\xe0" + random.randbytes(image_bytes) if image_bytes else b""
    metadata = {"marker": marker(task.run, number), "text": random.randbytes(random.randrange(200)).hex()}
    sample_id = looks_wrong.log_prediction(image or None, prediction_of(event_of(task, number)), metadata=metadata)
    if sample_id is None:
        return False
    say(id=sample_id, content=digest(metadata), image=sha256(image).hexdigest() if image else "", kind="sample")
    return True


def _fill(task: Task) -> None:
    """Capture until the disk has been full for a while, and say what was accepted; then, when told, send it."""
    if task.file_bytes:
        from resource import RLIMIT_FSIZE, getrlimit, setrlimit

        setrlimit(RLIMIT_FSIZE, (task.file_bytes, getrlimit(RLIMIT_FSIZE)[1]))
    looks_wrong = _open(task)
    refused = 0
    for number in range(task.first, task.first + task.count):
        is_taken = _accept(looks_wrong, task, number=number, image_bytes=task.image_bytes)
        refused = 0 if is_taken else refused + 1
        if refused == _REFUSALS_IN_A_ROW:
            break
    say(step="full", refusals=sum(looks_wrong.stats().dropped.values()))
    await_word()
    say(step="flushed", is_done=looks_wrong.flush(_FLUSH_SECONDS))
    await_word()


def _send(task: Task) -> None:
    """Be a process that only sends: what the dead left, it adopts."""
    looks_wrong = _open(task)
    looks_wrong.flush(_FLUSH_SECONDS)
    say(step="flushed")
    await_word()


def _upload(task: Task) -> None:
    """Capture and send all; name the ids."""
    looks_wrong = _open(task)
    for number in range(task.count):
        event = event_of(task, number)
        sample_id = UUID(int=Random(f"{task.run}{number}").getrandbits(128), version=4)
        looks_wrong.log_prediction(event.image or None, prediction_of(event), id=sample_id, tags=(event.marker,))
        say(id=str(sample_id))
    say(step="flushed", is_done=looks_wrong.flush(_FLUSH_SECONDS), dropped=looks_wrong.stats().dropped)
    await_word()


OUR_TASKS: Mapping[str, Callable[[Task], None]] = {
    "crash": _crash,
    "fill": _fill,
    "send": _send,
    "upload": _upload,
}
