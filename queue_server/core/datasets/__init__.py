"""Data sets from production: which items, in which split, as which files.

The shell reads rows into `Item`s (one per sample, with the annotation that `choose_annotation` picks), calls `build`
with what was frozen before, keeps `DataSet.frozen`, and streams what `render` yields, with `manifest` beside it.
"""

from queue_server.core.datasets.contents import DataSet, Entry, ImageRef, build
from queue_server.core.datasets.formats import FORMATS, check_format, render
from queue_server.core.datasets.items import (
    Candidate,
    Item,
    LabelSource,
    choose_annotation,
    from_prediction,
    last_words,
    parse_include,
)
from queue_server.core.datasets.manifest import export_id, manifest
from queue_server.core.datasets.split import Example, Split, WhyLeftOut, assign, design_weight, divide, group_key

__all__ = [
    "FORMATS",
    "Candidate",
    "DataSet",
    "Entry",
    "Example",
    "ImageRef",
    "Item",
    "LabelSource",
    "Split",
    "WhyLeftOut",
    "assign",
    "build",
    "check_format",
    "choose_annotation",
    "design_weight",
    "divide",
    "export_id",
    "from_prediction",
    "group_key",
    "last_words",
    "manifest",
    "parse_include",
    "render",
]
