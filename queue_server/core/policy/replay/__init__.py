"""Another policy over the past: `Replay` takes stored samples, and tells what it would have made of them."""

from queue_server.core.policy.replay.caught import Caught
from queue_server.core.policy.replay.replay import Replay
from queue_server.core.policy.replay.replayed import Day, Replayed
from queue_server.core.policy.replay.stored import Stored

__all__ = ["Caught", "Day", "Replay", "Replayed", "Stored"]
