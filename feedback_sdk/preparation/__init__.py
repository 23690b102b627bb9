"""What happens to a capture between the disk and the network, once, on the sender's thread.

Frames that look alike collapse (`bursts`), images are encoded and reduced (`photos`, the one room that knows Pillow),
and the app has the last word (`before_send`).
"""

from feedback_sdk.preparation.before_send import BeforeSend, Capture
from feedback_sdk.preparation.preparation import Preparation, Ready

__all__ = ["BeforeSend", "Capture", "Preparation", "Ready"]
