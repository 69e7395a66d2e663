"""What the plug-ins take to run."""

from __future__ import annotations

import subprocess
import sys


_PROGRAM = """
import importlib, pkgutil, sys
import pcidevices.kubectl as plug_ins
before = {name.partition(".")[0] for name in sys.modules}
for module in pkgutil.walk_packages(plug_ins.__path__, f"{plug_ins.__name__}."):
    importlib.import_module(module.name)
import yaml  # is imported where YAML is printed
after = {name.partition(".")[0] for name in sys.modules}
print(*sorted(name for name in after - before - sys.stdlib_module_names))
"""
_TAKEN = {"msgspec", "yaml"}
_ALONG = {"typing_extensions", "cython_runtime"}
"""What these two import as well where it is there, or make up."""


def test_the_plug_ins_take_two_libraries() -> None:
    """And none of the agent's, which is why they can be installed without."""
    loaded = subprocess.check_output([sys.executable, "-c", _PROGRAM], text=True).split()

    assert {name for name in loaded if not name.startswith("_")} - _ALONG == _TAKEN
