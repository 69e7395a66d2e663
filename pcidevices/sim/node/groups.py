from __future__ import annotations

from collections.abc import Iterator

from pcidevices.sim.node.device import Device
from pcidevices.sim.node.numbers import Numbers
from pcidevices.sim.node.spec import BridgeKind
from pcidevices.sim.node.tree import BOTH, Tree


class Groups:
    """IOMMU groups. A new one gets the lowest number that is free: numbers wander when devices come and go."""

    def __init__(self, tree: Tree, *, iommu: bool) -> None:
        self._tree = tree
        self._iommu = iommu
        self._folder = tree.folder(tree.sysfs / "kernel/iommu_groups")
        self._free = Numbers()
        self._numbers: dict[str, int] = {}
        self._members: dict[int, list[Device]] = {}

    def join(self, device: Device) -> None:
        device.group_key = _key(device)
        if not self._iommu:
            return
        number = self._numbers.get(device.group_key)
        if number is None:
            number = self._numbers[device.group_key] = self._free.take()
            self._members[number] = []
            folder = self._folder / str(number)
            self._tree.folder(folder / "devices")
            self._tree.attribute(folder / "type", "DMA-FQ", BOTH)
            self._tree.attribute(folder / "reserved_regions", "0x00000000fee00000 0x00000000feefffff msi")
        device.group = number
        self._members[number].append(device)
        self._tree.link(self._folder / str(number) / "devices" / device.address, device.home)
        self._tree.link(device.home / "iommu_group", self._folder / str(number))

    def leave(self, device: Device) -> None:
        if device.group is None:
            return
        folder = self._folder / str(device.group)
        self._tree.fell(folder / "devices" / device.address)
        self._members[device.group].remove(device)
        if not self._members[device.group]:
            del self._members[device.group], self._numbers[device.group_key]
            self._free.give_back(device.group)
            self._tree.fell(folder)

    def members(self, device: Device) -> Iterator[Device]:
        """The devices of its group, itself included."""
        return iter(self._members[device.group] if device.group is not None else ())


def _key(device: Device) -> str:
    """
    Who shares a group: what the specification says, else what the topology makes of it.

    A conventional bridge, or a port without ACS, holds all below it together with itself. The functions of one
    slot below a port are one group. On a root bus, and for a virtual function, each is its own.
    """
    if device.spec.group is not None:
        return f"given {device.spec.group}"
    bridge = device.parent.spec.bridge if device.parent is not None else None
    if device.owner is not None or device.parent is None or bridge is None:
        return device.address
    if bridge.kind is BridgeKind.CONVENTIONAL or not bridge.acs:
        return device.parent.group_key
    return device.address.rpartition(".")[0]
