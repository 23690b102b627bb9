"""Pages for people: what came, what waits and why, how good the model is, and the API. Rendered here, with few scripts.

Until there is a sign-in each page needs a key with scope admin; a browser asks for it, as the password of any user.
"""

from queue_server.pages import alerts, docs, drift, model_cards, overview, policy, queue, sample, slices
from queue_server.pages.frame import blueprint

__all__ = ["alerts", "blueprint", "docs", "drift", "model_cards", "overview", "policy", "queue", "sample", "slices"]
