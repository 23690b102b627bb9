"""What is known of a model version: what its file says of it, what it was trained on, how production differs.

`reports.cards` puts it together; `blocks` shows it.
"""

from queue_server.core.model_card.blocks import Block, Heading, Items, Paragraph, Table, to_html, to_markdown
from queue_server.core.model_card.coco import CocoImage, read_coco
from queue_server.core.model_card.differences import DataDifference, Kind, label_difference, metric_differences
from queue_server.core.model_card.registered import KEYS, Registered, read_registered, registered_document

__all__ = [
    "KEYS",
    "Block",
    "CocoImage",
    "DataDifference",
    "Heading",
    "Items",
    "Kind",
    "Paragraph",
    "Registered",
    "Table",
    "label_difference",
    "metric_differences",
    "read_coco",
    "read_registered",
    "registered_document",
    "to_html",
    "to_markdown",
]
