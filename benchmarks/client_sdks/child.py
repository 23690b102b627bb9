"""What runs in a process of its own: one library, one task, given as JSON."""

import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).absolute().parents[2]))

from benchmarks.client_sdks.child_captures import await_word, captured, captured_when_told, open_library, say
from benchmarks.client_sdks.tasks import Task

_WARM_UP = 50
_FLUSH_SECONDS = 20.0


def _hold(task: Task) -> None:
    """Capture and go on living, as a service does."""
    raised = captured_when_told(task, open_library(task))
    say(step="captured", raised=raised)
    await_word()


def _exit(task: Task) -> None:
    """Capture and come to the program's last line, whose time is told."""
    raised = captured_when_told(task, open_library(task))
    say(step="captured", raised=raised, at=time.monotonic())


def _resume(task: Task) -> None:
    """Be the app after a restart: some events more, and the library's own flush."""
    opened = open_library(task)
    captured(task, opened)
    opened.flush(_FLUSH_SECONDS)
    say(step="flushed")
    await_word()


def _memory(task: Task) -> None:
    """Capture with the server away, and say by how much the process has grown."""
    opened = open_library(task)
    captured(replace(task, run="warm", count=_WARM_UP), opened)
    gc.collect()
    before = _resident_bytes()
    raised = captured_when_told(task, opened)
    gc.collect()
    say(step="captured", raised=raised, grown_bytes=_resident_bytes() - before)
    await_word()


def _fork(task: Task) -> None:
    """Capture half as many, fork, and capture in the child; both end as programs end."""
    opened = open_library(task)
    captured(replace(task, run=task.run + "parent", count=task.count // 2), opened)
    child = os.fork()
    if child == 0:
        captured(task, opened)
    opened.flush(_FLUSH_SECONDS)
    if child:
        os.waitpid(child, 0)


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        from resource import RUSAGE_SELF, getrusage

        return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _tasks_of(action: str) -> Mapping[str, Callable[[Task], None]]:
    if action.startswith(("timing", "constructor", "backlog")):
        from benchmarks.client_sdks.child_timing import TIMINGS

        return TIMINGS
    if action in ("crash", "fill", "send", "upload"):
        from benchmarks.client_sdks.child_ours import OUR_TASKS

        return OUR_TASKS
    return {"hold": _hold, "exit": _exit, "resume": _resume, "memory": _memory, "fork": _fork}


def main() -> None:
    """Do the task."""
    task = Task.from_json(sys.argv[1])
    _tasks_of(task.action)[task.action](task)


if __name__ == "__main__":
    main()
