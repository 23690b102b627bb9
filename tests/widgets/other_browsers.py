"""Firefox and WebKit, driven with real taps and keys; both understand the same W3C actions."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts import services

PATIENCE_SECONDS = 10
#: finds a part of the element; in front of what is evaluated
PART = 'const part = (name) => document.querySelector("looks-wrong").shadowRoot.querySelector(name); '


class Browser(NamedTuple):
    """One window of a browser; Firefox and WebKit differ only in how they are asked for these three."""

    version: str
    go: Callable[[str], object]
    evaluate: Callable[[str], object]
    act: Callable[[list[dict]], object]
    #: fingers where the browser takes them
    pointer: str

    def ask(self, expression: str) -> object:
        """Return the value of an expression; `part(selector)` is a node of the element."""
        return json.loads(str(self.evaluate(f"(() => {{ {PART} return JSON.stringify({expression} ?? null) }})()")))

    def tap(self, selector: str) -> None:
        """Tap the middle of a part."""
        self.ask(f"part({json.dumps(selector)}).scrollIntoView({{ block: 'nearest' }})")
        box = self.ask(f"part({json.dumps(selector)}).getBoundingClientRect()")
        assert isinstance(box, dict)
        x, y = (int(box[start] + box[size] / 2) for start, size in (("x", "width"), ("y", "height")))
        steps = [{"type": "pointerMove", "x": x, "y": y, "duration": 0, "origin": "viewport"}]
        steps += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.act([{"type": "pointer", "id": "finger", "parameters": {"pointerType": self.pointer}, "actions": steps}])

    def type(self, text: str) -> None:
        """Press and release a key for each letter."""
        steps = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
        self.act([{"type": "key", "id": "keys", "actions": steps}])


def _need(program: Path | None, name: str, package: str) -> Path:
    """Skip where a browser is missing; also in CI, where Chromium must be there and these two are optional."""
    if program is None:
        pytest.skip(f"{name} is not on this machine: run `python3 scripts/setup.py browsers`")
    if find_spec(package) is None:
        pytest.skip(f"{name} is driven with the Python package {package}, which is not installed")
    return program


def _environment(folder: Path) -> dict[str, str]:
    """Give a browser a home of its own: it must not find what a person uses, nor leave anything there."""
    homes = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR")
    return os.environ | dict.fromkeys(homes, str(folder)) | {"NO_AT_BRIDGE": "1"}


@contextmanager
def _running(*command: str | Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the end of the block."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=environment, **streams) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


# ---- Firefox: WebDriver BiDi, which it speaks itself; Debian has no geckodriver


@contextmanager
def firefox(folder: Path) -> Iterator[Browser]:
    """Run Firefox without a window."""
    program = _need(services.find_firefox(), "Firefox", "websocket")
    from websocket import create_connection

    command = (program, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0")
    with _running(*command, environment=_environment(folder)) as process:
        url = f"ws://127.0.0.1:{_port(folder, process)}/session"
        # Firefox lets no web page in: it refuses whoever names an origin
        connection = create_connection(url, suppress_origin=True, timeout=PATIENCE_SECONDS)
        try:
            yield _bidi(connection)
        finally:
            connection.close()


def _port(folder: Path, process: subprocess.Popen[str]) -> int:
    """Wait for the file in which Firefox tells its port."""
    told = folder / "WebDriverBiDiServer.json"
    end = time.monotonic() + 3 * PATIENCE_SECONDS
    while not told.exists() or not told.read_text().strip():
        assert process.poll() is None, f"Firefox must run, but ended with code {process.returncode}"
        assert time.monotonic() < end, "Firefox must open its port in time"
        time.sleep(0.05)
    return int(json.loads(told.read_text())["ws_port"])


def _bidi(connection: object) -> Browser:
    numbers = count(1)

    def call(method: str, **parameters: object) -> dict:
        number = next(numbers)
        connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(connection.recv())).get("id") != number:
            pass  # an event
        assert answer["type"] == "success", f"Firefox must do {method}, but said {answer}"
        return answer["result"]

    version = call("session.new", capabilities={})["capabilities"]["browserVersion"]
    page = call("browsingContext.getTree")["contexts"][0]["context"]

    def evaluate(script: str) -> str:
        answer = call("script.evaluate", expression=script, target={"context": page}, awaitPromise=True)
        assert answer["type"] == "success", f"this must run: {script}, but ended with {answer}"
        return answer["result"]["value"]

    return Browser(
        version=f"Firefox {version}",
        go=lambda url: call("browsingContext.navigate", context=page, url=url, wait="complete"),
        evaluate=evaluate,
        act=lambda actions: call("input.performActions", context=page, actions=actions),
        pointer="touch",
    )


# ---- WebKit: WebKitGTK's small browser on a display that nobody sees


@contextmanager
def webkit(folder: Path) -> Iterator[Browser]:
    """Run WebKit on a display of its own."""
    program = _need(services.find_webkit(), "WebKit", "selenium")
    from selenium.webdriver.webkitgtk.service import Service
    from selenium.webdriver.webkitgtk.webdriver import WebDriver

    environment = _environment(folder)
    with _running("Xvfb", "-displayfd", "1", "-nolisten", "tcp", environment=environment) as display:
        environment |= {"DISPLAY": f":{display.stdout.readline().strip()}", "GDK_BACKEND": "x11"}
        driver = WebDriver(service=Service(str(program), log_output=subprocess.DEVNULL, env=environment))
        try:
            driver.set_page_load_timeout(PATIENCE_SECONDS)
            yield Browser(
                version=f"WebKit {driver.capabilities['browserVersion']}",
                go=driver.get,
                evaluate=lambda script: driver.execute_script(f"return {script}"),
                act=lambda actions: driver.execute("actions", {"actions": actions}),
                pointer="mouse",
            )
        finally:
            driver.quit()
