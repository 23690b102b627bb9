"""A model version's YAML or JSON file: read it, and register what it says."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from queue_server import models
from queue_server.core.model_card import Registered, read_registered
from queue_server.errors import PolicyError
from queue_server.store import exports, model_versions
from queue_server.yaml_lines import read_yaml

SUFFIXES = (".yaml", ".yml", ".json")


def parse(text: str) -> Registered:
    """Read a file, or raise PolicyError with the line and the path of all that is wrong. JSON is YAML too."""
    read = read_yaml(text)
    try:
        return read_registered(read.document)
    except PolicyError as error:
        raise PolicyError.of([replace(fault, line=read.line(fault.field)) for fault in error.faults]) from error


def is_file(name_or_file: str) -> bool:
    """Tell whether a person means a file, and no version's name."""
    return Path(name_or_file).suffix.lower() in SUFFIXES


def register(session: Session, project: models.Project, found: Registered, *, now: datetime) -> models.ModelVersion:
    """Register a version, or change what is registered of it; raise PolicyError for an export that is not there."""
    assert project.id is not None
    if found.trained_on is not None and exports.find(session, project.id, found.trained_on) is None:
        raise PolicyError("trained_on", f"must be an export of {project.name}, got {found.trained_on}")
    return model_versions.register(session, project.id, found, now=now)
