"""A command line that finds nothing of the machine it runs on, and leaves nothing behind."""

from __future__ import annotations

import os
import sys

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.sysfs_tree import SysfsTree


DATABASE = """\
10de  NVIDIA Corporation
\t1c03  GP106 [GeForce GTX 1060 6GB]
8086  Intel Corporation
\t10d3  82574L Gigabit Network Connection
C 02  Network controller
\t00  Ethernet controller
C 03  Display controller
\t00  VGA compatible controller
"""


@pytest.fixture
def tree(tmp_path: Path) -> SysfsTree:
    return SysfsTree(tmp_path / "sys")


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our variables only those that say where this node and this database are."""
    for name in tuple(os.environ):
        if name.startswith(("PCIDEVICES_", "KUBERNETES_")) or name == "NODE_NAME":
            monkeypatch.delenv(name)
    (tmp_path / "pci.ids").write_text(DATABASE)
    monkeypatch.setenv("PCIDEVICES_PCI_IDS", str(tmp_path / "pci.ids"))
    monkeypatch.setenv("PCIDEVICES_SYSFS", str(tmp_path / "sys"))
    monkeypatch.setenv("PCIDEVICES_NODE_NAME", "janus")


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command sets the logs up for the rest of its process, which here goes on."""
    yield
    structlog.reset_defaults()
    for module in tuple(sys.modules.values()):
        if module.__name__.startswith("pcidevices.") and (log := vars(module).get("log")):
            vars(log).pop("bind", None)
