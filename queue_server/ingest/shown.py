"""That a result was shown to its user; it may be told before its sample comes."""

from datetime import datetime
from uuid import UUID

from queue_server.backend import Backend
from queue_server.store import samples, showings
from queue_server.store.engine import writing


def take_showing(backend: Backend, project_id: int, sample_id: UUID, *, shown_at: datetime) -> None:
    """Keep the earliest time at which a sample's result was shown; nothing is decided anew before its window ends."""
    with writing(backend.engine) as session:
        samples.serialize(session, sample_id)
        sample = samples.find(session, project_id, sample_id)
        if sample is not None:
            showings.record(session, sample, shown_at=shown_at)
        else:
            showings.park(session, project_id, sample_id, shown_at=shown_at)
