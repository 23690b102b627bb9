"""Slices: parts of the stream by what was known when a sample came; which of them are worst, and by which metrics.

A slice may not hang on whether an annotator came to see a sample, else its figures would not hold.
"""

from queue_server.core.slices.features import Described, Features, Predicate, features
from queue_server.core.slices.importance import Importance, MetricBin, importance
from queue_server.core.slices.reading import read_slices, slices_schema
from queue_server.core.slices.search import FEWEST_ANNOTATED, Found, Searched, search
from queue_server.core.slices.slices import Slice, read_slice

__all__ = [
    "FEWEST_ANNOTATED",
    "Described",
    "Features",
    "Found",
    "Importance",
    "MetricBin",
    "Predicate",
    "Searched",
    "Slice",
    "features",
    "importance",
    "read_slice",
    "read_slices",
    "search",
    "slices_schema",
]
