"""Packages whose ``__init__`` imports far more than is needed, put in place without running it."""

from __future__ import annotations

import importlib.util
import sys

from pathlib import Path
from types import ModuleType


def bare_package(name: str) -> ModuleType:
    """
    Make ``import name.part`` work without running ``name/__init__.py``.

    For a package inside a package call it for the outer one first. Does nothing to what is imported
    already.

    Raises:
        ImportError: there is no such package.
    """
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"{name} is not installed, or no package")
    package = sys.modules[name] = ModuleType(name)
    package.__path__ = [str(Path(folder)) for folder in found.submodule_search_locations]
    return package
