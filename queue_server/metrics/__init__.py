"""Work out the metrics that samples lack: built-in ones of old samples, the user's own, those that hang on others.

What a batch finds is one transaction, and what is there is not asked for again: a run that was stopped, or killed,
goes on where it was.
"""

from queue_server.metrics.compute import Computed, compute
from queue_server.metrics.relations import relate

__all__ = ["Computed", "compute", "relate"]
