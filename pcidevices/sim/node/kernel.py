from __future__ import annotations

from pathlib import Path

from pcidevices.sim.node.address import Address
from pcidevices.sim.node.below import Below
from pcidevices.sim.node.binding import Binding
from pcidevices.sim.node.device import Device, Driver
from pcidevices.sim.node.groups import Groups
from pcidevices.sim.node.hotplug import Hotplug
from pcidevices.sim.node.locks import BigLock, Mutex
from pcidevices.sim.node.modules import Modules
from pcidevices.sim.node.network import Network
from pcidevices.sim.node.spec import NodeSpec
from pcidevices.sim.node.sriov import Sriov
from pcidevices.sim.node.storage import Storage
from pcidevices.sim.node.tree import Tree
from pcidevices.sim.node.uevents import Uevents
from pcidevices.sim.node.vfio import Vfio


class Kernel:
    """
    The parts of the simulated kernel, and what they all know.

    The parts call one another: to unbind a physical function removes its virtual ones, which unbinds those.
    """

    def __init__(self, root: Path, spec: NodeSpec) -> None:
        self.spec = spec
        self.tree = Tree(root)
        self.uevents = Uevents()
        self.lock = BigLock()
        self.hotplug_lock = Mutex(self.lock)
        self.devices: dict[Address, Device] = {}
        self.drivers: dict[str, Driver] = {}
        self.groups = Groups(self.tree, iommu=spec.iommu)
        self.binding = Binding(self)
        self.storage = Storage(self.tree, self.uevents, self.lock)
        self.network = Network(self.tree, self.lock)
        self.below = Below(self.tree, self.uevents, self.storage, self.network)
        self.vfio = Vfio(self)
        self.sriov = Sriov(self)
        self.hotplug = Hotplug(self)
        self.modules = Modules(self)

    @property
    def is_old(self) -> bool:
        """Whether it behaves as 6.1 does where that differs from 6.12."""
        return self.spec.kernel == "6.1"

    def announce(self, action: str, device: Device) -> None:
        properties = device.properties(driver=action in ("bind", "change"), modalias=action != "unbind")
        self.uevents.emit(action, device.path, "pci", **properties)

    def named(self, name: str) -> Device | None:
        """The device of that name, if the kernel has one."""
        try:
            return self.devices.get(Address.parse(name))
        except ValueError:
            return None
