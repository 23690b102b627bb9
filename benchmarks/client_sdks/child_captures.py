"""What all tasks of a child share: open the library, capture events, speak with the command in lines of JSON."""

import json
import os
import sys
import time

from benchmarks.client_sdks.libraries import LIBRARIES, Call, Opened, Setup, quiet_logs
from benchmarks.client_sdks.tasks import Task, event_of

#: an app holds its client to its end; one that is let go stops sending
_kept: list[Opened] = []


def say(**fields: object) -> None:
    """Write one line at once."""
    os.write(1, (json.dumps(fields) + "\n").encode())


def await_word() -> None:
    """Wait for a line; where the command is gone, end."""
    if not sys.stdin.readline():
        os._exit(0)


def setup_of(task: Task) -> Setup:
    """Return what a task's library is opened with."""
    return Setup(
        url=task.url,
        spool=task.spool,
        api_key=task.api_key,
        timeout_seconds=task.timeout_seconds,
        upload=task.upload,
    )


def open_library(task: Task) -> Opened:
    """Open the library of a task, with warnings on standard error as an app's log has them."""
    quiet_logs()
    opened = LIBRARIES[task.library].open(setup_of(task))
    _kept.append(opened)
    return opened


def succeeds(call: Call) -> bool:
    """Return whether a capture came back without an exception."""
    try:
        call()
    except Exception:  # whether a library raises into the app, and what, is part of what is measured
        return False
    return True


def captured(task: Task, opened: Opened) -> int:
    """Capture the events of a task, each at its time; return how many calls raised."""
    raised, begin = 0, time.monotonic()
    for index in range(task.count):
        raised += not succeeds(opened.prepare(event_of(task, task.first + index)))
        wait = begin + task.pause_seconds * (index + 1) - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if time.monotonic() > begin + task.limit_seconds:
            break
    return raised


def captured_when_told(task: Task, opened: Opened) -> int:
    """Say that the library is open, wait for the word, and capture."""
    say(step="ready")
    await_word()
    return captured(task, opened)
