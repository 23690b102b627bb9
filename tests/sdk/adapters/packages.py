"""The packages whose results are read: too heavy for the project's own environment, so their tests may be skipped."""

import warnings
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest


def real(name: str) -> ModuleType:
    """Import a package as an app has it; skip the test, or the module that asks, where it is not there or broken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, not ours
        try:
            return import_module(name)
        except (ImportError, RuntimeError) as error:
            reason = f"{name} must be importable to test with the real thing (`make adapters`): {error}"
            pytest.skip(reason.splitlines()[0][:200], allow_module_level=True)


def coco_counts(mask: np.ndarray) -> str:
    """Return the run lengths of a mask (height, width) as COCO's own code writes them."""
    return real("pycocotools.mask").encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
