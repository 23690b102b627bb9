"""Code of others: strategies and metrics of other packages, by their entry points, and metrics of files.

An entry point of the group `lookswrong.strategies` is a Strategy, one of `lookswrong.metrics` a function (see
`core.metrics.custom`); its name is theirs.
"""

import functools
import importlib.util
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

from queue_server.core.metrics.custom import Custom, custom_metric
from queue_server.core.policy import STRATEGIES, Strategy
from queue_server.errors import SettingsError

GROUP = "lookswrong.strategies"
METRICS_GROUP = "lookswrong.metrics"


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


@functools.cache
def custom_metrics(files: str) -> Mapping[str, Custom]:
    """Return the metrics of every installed package, and those that `files` names: path.py:function, by commas."""
    found: dict[str, Custom] = {}
    for place, name, function in (*_of_packages(), *_of_files(files)):
        try:
            metric = custom_metric(name, function)
        except ValueError as error:
            raise SettingsError(f"{place} {error}") from error
        if name in found:
            raise SettingsError(f"{place} must have a name of its own, {name!r} is taken")
        found[name] = metric
    return found


def _of_packages() -> Iterator[tuple[str, str, object]]:
    for point in entry_points(group=METRICS_GROUP):
        place = f"{METRICS_GROUP}: {point.value}"
        try:
            yield place, point.name, point.load()
        except (ImportError, AttributeError) as error:
            raise SettingsError(f"{place} must be there to import, got {error}") from error


def _of_files(files: str) -> Iterator[tuple[str, str, object]]:
    for entry in filter(None, (part.strip() for part in files.split(","))):
        place = f"LOOKSWRONG_CUSTOM_METRICS: {entry}"
        path, _, name = entry.rpartition(":")
        if not Path(path).is_file():
            raise SettingsError(f"{place} must be path.py:function of a file that is there, got {path!r}")
        yield place, name, _function(place, Path(path), name)


def _function(place: str, path: Path, name: str) -> object:
    spec = importlib.util.spec_from_file_location(f"lookswrong_custom_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{place} must be a file of Python, got {path.name!r}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError, NameError, AttributeError, OSError) as error:
        raise SettingsError(f"{place} must be there to import, got {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        raise SettingsError(f"{place} must hold a function {name!r}, got none")
    return getattr(module, name)
