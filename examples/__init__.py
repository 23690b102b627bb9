"""Examples of apps that use `feedback_sdk`; they speak to the queue server over HTTP only."""
