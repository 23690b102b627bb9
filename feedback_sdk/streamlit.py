"""`looks_wrong` for Streamlit 1.51 or newer: the button in an app, without Node and without an iframe."""

from functools import cache
from typing import TYPE_CHECKING, Any, Unpack, cast
from uuid import UUID

from feedback_sdk import element
from feedback_sdk.client import FeedbackClient

if TYPE_CHECKING:
    from collections.abc import Callable

_CSS = """
looks-wrong {
  --looks-wrong-accent: var(--st-primary-color);
  --looks-wrong-border: var(--st-border-color);
  --looks-wrong-background: var(--st-background-color);
  --looks-wrong-text: var(--st-text-color);
  --looks-wrong-radius: var(--st-button-radius);
  color: var(--st-text-color);
}
"""
# Streamlit calls it at every rerun, with the same parentElement. A token is new each time: what has not changed is left
# alone, so that a rerun costs no user the correction in hand.
_SCRIPT = """
export default function ({ data, parentElement, setStateValue }) {
  let button = parentElement.querySelector("looks-wrong");
  if (!button) {
    button = document.createElement("looks-wrong");
    let told = null;
    const tell = () => {
      if (button.verdict === undefined || button.verdict === told) return;
      told = button.verdict;
      setStateValue("verdict", told);
    };
    // the image is looked up at the tap: it is outside this component, and Streamlit may have drawn it anew
    const look = () => {
      const image = button.selector && document.querySelector(button.selector);
      if (image) button.image = image;
    };
    button.addEventListener("click", look, true);
    for (const name of ["click", "feedback-saved", "feedback-failed"]) button.addEventListener(name, tell);
    customElements.whenDefined("looks-wrong").then(tell);
    parentElement.append(button);
  }
  import(data.script).catch((error) => console.warn("looks-wrong: no button, its server cannot be reached", error));
  const { image, ...attributes } = data.attributes;
  button.selector = image;
  for (const [name, value] of Object.entries(attributes)) {
    if (button.getAttribute(name) !== value) button.setAttribute(name, value);
  }
}
"""


def looks_wrong(
    client: FeedbackClient,
    sample_id: str | UUID | None,
    *,
    key: str | None = None,
    **look: Unpack[element.Appearance],
) -> str | None:
    """Show the button for one sample; return the verdict that this browser's user gave, None as long as there is none.

    What the user says goes from the browser straight to the server; the app runs again when it is said. It is
    remembered over reruns and reloads. `image` selects an image anywhere on the page: `.st-key-photo img` is the one
    in `st.container(key="photo")`. Nothing is shown for the sample None, or for a client without a key.
    """
    told = element.attributes(client, sample_id, **look)
    if told is None:
        return None
    data = {"script": element.script(told["endpoint"]), "attributes": told}
    shown = _component()(data=data, key=key or f"looks-wrong-{sample_id}", on_verdict_change=lambda: None)
    return cast("str | None", shown.verdict)


@cache
def _component() -> "Callable[..., Any]":
    """Return Streamlit's renderer of the button, registered once for all its places."""
    try:
        from streamlit.components import v2
    except ImportError as error:
        raise ImportError("streamlit must be installed, 1.51 or newer: pip install -U streamlit") from error
    made: Callable[..., Any] = v2.component("lookswrong.looks_wrong", css=_CSS, js=_SCRIPT)
    return made
