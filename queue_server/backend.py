"""What every stage of one process stands on: settings, database, image store."""

from dataclasses import dataclass

from sqlalchemy import Engine

from queue_server.blobs import Blobs
from queue_server.settings import Settings
from queue_server.store.engine import make_engine


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """The open database and image store of one process."""

    settings: Settings
    engine: Engine
    blobs: Blobs


def open_backend(settings: Settings) -> Backend:
    """Open the database and the image store that the settings name."""
    return Backend(settings=settings, engine=make_engine(settings), blobs=Blobs(settings.effective_blob_url))
