from __future__ import annotations

from pathlib import Path

from pcidevices.sim.node.parse import load_spec
from pcidevices.sim.node.spec import NodeSpec


_HERE = Path(__file__).parent
BUILTIN_SPEC = _HERE / "builtin.yaml"
"""The built-in specification as a file, to copy and change."""


def builtin_spec() -> NodeSpec:
    """A server with two sockets: a GPU, network cards with virtual functions, disks, an old sound of the desktop."""
    return load_spec(BUILTIN_SPEC)


def builtin_pci_ids() -> Path:
    """The names of all that is in the built-in specification, in the format of the PCI ID Repository."""
    return _HERE / "pci.ids"
