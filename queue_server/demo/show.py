"""Run everything for a person, until Ctrl-C."""

import signal
import time
from pathlib import Path
from threading import Event

from queue_server.demo.stage import Stage, open_places, open_stage, pill_counter, run_example, say
from queue_server.store import projects, targets
from queue_server.store.engine import reading

#: so that a person sees silence become an answer
_WINDOW = "1m"
_AUDIT_RATE = 0.1
_INBOX_SECONDS = 30.0


def run_until_stopped(folder: Path, *, images: Path | None) -> None:
    """Start all parts, print where they are, and stop them at Ctrl-C."""
    stopped = Event()
    previous = [(sign, signal.signal(sign, lambda *_: stopped.set())) for sign in (signal.SIGINT, signal.SIGTERM)]
    try:
        with open_stage(open_places(folder), confirmation_window=_WINDOW, audit_rate=_AUDIT_RATE) as stage:
            model = first_model(stage)
            with pill_counter(stage, model=model, images=images):
                say(_welcome(stage, _inbox(stage)))
                while not stopped.wait(1.0):
                    pass
                say("stopping …")
    finally:
        for sign, handler in previous:
            signal.signal(sign, handler)


def first_model(stage: Stage) -> Path:
    """Return version 1 of the counting model, trained at the first run."""
    model = stage.places.models / "v1.joblib"
    if not model.exists():
        say("training version 1 of the counting model on a few generated trays …")
        model.parent.mkdir(parents=True, exist_ok=True)
        run_example(stage.example("train", "--trays", "6", "--model-version", "v1", "--out", str(model)))
    return model


def _inbox(stage: Stage) -> str:
    """Return the address of the annotators' tab, which the worker makes; the list of projects if that takes long."""
    assert stage.project.id is not None
    deadline = time.monotonic() + _INBOX_SECONDS
    while time.monotonic() < deadline:
        with reading(stage.backend.engine) as session:
            target = targets.main(session, projects.get(session, stage.project.id))
        if target is not None and target.label_studio_view_id is not None:
            path = f"{target.label_studio_project_id}/data?tab={target.label_studio_view_id}"
            return f"{stage.label_studio.url}/projects/{path}"
        time.sleep(0.3)
    return f"{stage.label_studio.url}/projects"


def _welcome(stage: Stage, inbox: str) -> str:
    login = ""
    if stage.label_studio.email is not None:
        login = f"\n    log in as         {stage.label_studio.email} with password {stage.label_studio.password}"
    return f"""
Ready. Tap on "Looks wrong" and watch the photo arrive in Label Studio within seconds.

  the pill counter      {stage.places.app_url}
  Label Studio's inbox  {inbox}{login}
    to annotate       choose "Label Tasks As Displayed" in the menu beside "Label All Tasks"
  the queue server      {stage.places.server_url}
    log in as         admin with password {stage.keys["admin"]}

State is kept in {stage.places.folder}. Ctrl-C stops everything.
"""
