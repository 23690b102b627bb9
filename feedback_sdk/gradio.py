"""`looks_wrong` for Gradio 6 or newer: the button in an app, without Node."""

import json
from html import escape
from typing import TYPE_CHECKING, Unpack
from uuid import UUID

from feedback_sdk import element
from feedback_sdk.client import FeedbackClient

if TYPE_CHECKING:
    import gradio

_LOAD = """
import({script}).catch((error) => console.warn("looks-wrong: no button, its server cannot be reached", error));
element.addEventListener("feedback-saved", ({{ detail }}) => trigger("submit", detail));
"""


def looks_wrong(
    client: FeedbackClient, sample_id: str | UUID | None = None, **look: Unpack[element.Appearance]
) -> "gradio.HTML":
    """Return a component with the button for one sample, and with nothing as long as there is no sample.

    Place it without a sample, name it among the outputs of the function that predicts, and return `looks_wrong(client,
    sample_id, …)` from there. What a user says goes from the browser straight to the server, and is the component's
    event `submit`: an `EventData` whose `_data` is the answer. `image` selects an image anywhere on the page: `#photo
    img` is the one of `gr.Image(elem_id="photo")`.
    """
    try:
        import gradio
    except ImportError as error:
        raise ImportError("gradio must be installed, 6 or newer: pip install -U gradio") from error
    told = element.attributes(client, sample_id, **look)
    script = json.dumps(element.script(element.endpoint(client, look)))
    return gradio.HTML(value=_html(told) if told else "", js_on_load=_LOAD.format(script=script))


def _html(attributes: dict[str, str]) -> str:
    """Return the element's text.

    >>> _html({"labels": '["a"]'})
    '<looks-wrong labels="[&quot;a&quot;]"></looks-wrong>'
    """
    told = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<looks-wrong {told}></looks-wrong>"
