"""What `<looks-wrong>` on a page is told of one sample, for the helpers that put it into Streamlit and Gradio."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack
from uuid import UUID

if TYPE_CHECKING:
    from feedback_sdk.client import FeedbackClient


class Appearance(TypedDict, total=False):
    """How the button asks; the attributes of `<looks-wrong>`, in Python's types."""

    #: what a user may correct: "count", "labels", "image", or several of them with spaces between
    correct: str
    #: the labels to choose from, or what stands for each of them on the page
    labels: Sequence[str] | Mapping[str, str]
    #: what the model counted
    count: int
    #: a CSS selector of the image on the page, for "image"
    image: str
    #: "buttons" (right and wrong), or "flag" (only wrong)
    mode: Literal["buttons", "flag"]
    #: where the second step opens: "inline", or "popover"
    layout: Literal["inline", "popover"]
    #: "user_right" or "user_wrong": the `outcome` of `FeedbackClient.status`
    status: str
    #: texts by name, in place of the button's own
    strings: Mapping[str, str]
    #: the page's address of the server, where it is not the client's
    endpoint: str
    #: a pseudonym of the user
    reporter: str


def attributes(
    client: "FeedbackClient", sample_id: str | UUID | None, **look: Unpack[Appearance]
) -> dict[str, str] | None:
    """Return the attributes by name, with a fresh token; None where nothing can be said of the sample."""
    token = client.feedback_token(sample_id, reporter=look.get("reporter"))
    if token is None:
        return None
    own = {"sample": str(sample_id), "token": token, "endpoint": endpoint(client, look)}
    given = {name: value for name, value in look.items() if name not in {"endpoint", "reporter"} and value is not None}
    if "labels" in given:
        given["labels"] = _options(look["labels"])
    return own | {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def endpoint(client: "FeedbackClient", look: Appearance) -> str:
    """Return the server's address as browsers see it."""
    return (look.get("endpoint") or client.url).rstrip("/")


def script(address: str) -> str:
    """Return where the button's script is: the server's newest, since the SDK may be older than its server."""
    return f"{address}/widgets/looks-wrong.js"


def _options(labels: Sequence[str] | Mapping[str, str]) -> list[dict[str, str]]:
    named = labels if isinstance(labels, Mapping) else {label: label for label in labels}
    return [{"value": value, "label": label} for value, label in named.items()]
