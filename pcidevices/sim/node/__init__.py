"""
A simulated node: a sysfs that does what Linux does, refusals included. It knows nothing of the agent.

`docs/explanation/simulated-node.md` says what it shows and what it does not; the contract tests hold it against
real kernels.
"""

from pcidevices.sim.node.address import Address
from pcidevices.sim.node.builtin import BUILTIN_SPEC, builtin_pci_ids, builtin_spec
from pcidevices.sim.node.node import SimulatedNode
from pcidevices.sim.node.parse import load_spec
from pcidevices.sim.node.reading import SpecError
from pcidevices.sim.node.refuse import NotSimulatedError
from pcidevices.sim.node.spec import (
    BridgeKind,
    BridgeSpec,
    DeviceSpec,
    DiskSpec,
    Ids,
    ModuleSpec,
    ModuleState,
    NetSpec,
    NodeSpec,
    SriovSpec,
)
from pcidevices.sim.node.uevents import Uevent


__all__ = [
    "BUILTIN_SPEC",
    "Address",
    "BridgeKind",
    "BridgeSpec",
    "DeviceSpec",
    "DiskSpec",
    "Ids",
    "ModuleSpec",
    "ModuleState",
    "NetSpec",
    "NodeSpec",
    "NotSimulatedError",
    "SimulatedNode",
    "SpecError",
    "SriovSpec",
    "Uevent",
    "builtin_pci_ids",
    "builtin_spec",
    "load_spec",
]
