"""The boundary to metrics of the user's own: whatever one raises is told, and stops nothing."""

from queue_server.core.metrics.custom import Custom, checked_number


def ask(metric: Custom, subject: object) -> tuple[float | None, str | None]:
    """Return what a metric says of an image, prediction or annotation, or what it raised."""
    try:
        return checked_number(metric.measure(subject)), None
    except Exception as error:  # the function is somebody else's
        return None, f"{type(error).__name__}: {error}"[:300]
