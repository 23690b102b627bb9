"""Strategies of other packages: entry points in the group `lookswrong.strategies`, their name the strategy's."""

import functools
from collections.abc import Mapping
from importlib.metadata import entry_points

from queue_server.core.policy import STRATEGIES, Strategy
from queue_server.errors import SettingsError

GROUP = "lookswrong.strategies"


@functools.cache
def strategies() -> Mapping[str, Strategy]:
    """Return our own strategies and those of every installed package; a name of ours cannot be taken."""
    found = dict(STRATEGIES)
    for point in entry_points(group=GROUP):
        try:
            loaded = point.load()
        except (ImportError, AttributeError) as error:
            raise SettingsError(f"{GROUP}: {point.value} must be there to import, got {error}") from error
        if not isinstance(loaded, Strategy):
            raise SettingsError(f"{GROUP}: {point.value} must be a Strategy, got {type(loaded).__name__}")
        if point.name in found:
            raise SettingsError(f"{GROUP}: {point.value} must have a name of its own, {point.name!r} is taken")
        found[point.name] = loaded
    return found
