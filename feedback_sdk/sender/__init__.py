"""What brings the spool's records to the server, on a thread of its own.

`sender` owns the threads. It makes one step after the other of `delivery` (samples and feedback), `wanted` (images
that the server asks for) and `statuses` (what became of samples), all over one `line`, which minds the `circuit` and
the `bandwidth`.
"""

from feedback_sdk.sender.sender import EXIT_SECONDS, Sender, SenderOptions, Stats, Upload

__all__ = ["EXIT_SECONDS", "Sender", "SenderOptions", "Stats", "Upload"]
