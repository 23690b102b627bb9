"""The handle on a child process that does one task."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import IO

from benchmarks.client_sdks.tasks import Task

_CHILD = Path(__file__).with_name("child.py")


class BenchmarkError(Exception):
    """A child did not do what its task says."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a child."""

    fields: MappingProxyType[str, object]

    def text(self, name: str) -> str:
        """Return a field's text; empty where it is absent."""
        return str(self.fields.get(name, ""))

    def number(self, name: str) -> float:
        """Return a field's number."""
        value = self.fields[name]
        assert isinstance(value, int | float)
        return value


class Child:
    """A running child."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[bytes]) -> None:
        self.process = process
        self._errors = errors
        self._said: SimpleQueue[Said | None] = SimpleQueue()
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    def hear(self, step: str = "", *, seconds: float = 120.0) -> Said:
        """Return the next line, or the next that tells of a step; raise BenchmarkError where it does not come."""
        while (said := self.hear_any(seconds=seconds)) is not None:
            if not step or said.text("step") == step:
                return said
        raise BenchmarkError(f"a child must say {step or 'something'}, got its end; its log ends: {self.log()[-800:]}")

    def hear_any(self, *, seconds: float) -> Said | None:
        """Return the next line; None where the child has ended."""
        try:
            return self._said.get(timeout=seconds)
        except Empty:
            raise BenchmarkError(f"a child must speak within {seconds} s, got {self.process.args!r}") from None

    def tell(self) -> None:
        """Let the child go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ended(self, *, seconds: float) -> bool:
        """Wait for the child's own end; False where it does not come in time."""
        # Popen.wait with a time-out looks only every 50 ms: too coarse for what is timed here.
        waiting = threading.Thread(target=self.process.wait, daemon=True)
        waiting.start()
        waiting.join(seconds)
        return not waiting.is_alive()

    def kill(self) -> None:
        """End it, and what it forked, as a crash does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._ear.join()

    def log(self) -> str:
        """Return what it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{") and line.endswith("}\n"):  # a killed child may leave half a line
                self._said.put(Said(MappingProxyType(json.loads(line))))
        self._said.put(None)


@contextmanager
def child(task: Task) -> Iterator[Child]:
    """Run a child for a while; it is gone at the end."""
    command = [sys.executable, str(_CHILD), task.to_json()]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        one = Child(process, errors)
        try:
            yield one
        finally:
            one.kill()
