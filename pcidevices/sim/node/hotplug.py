"""Devices come and go: by hand, by `remove` and `rescan`, as virtual functions."""

from __future__ import annotations

import contextlib

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pcidevices.sim.node.address import Address
from pcidevices.sim.node.device import Device, make_folder
from pcidevices.sim.node.locks import Mutex
from pcidevices.sim.node.refuse import Refused
from pcidevices.sim.node.spec import DeviceSpec


if TYPE_CHECKING:
    from pcidevices.sim.node.kernel import Kernel


class Hotplug:
    """
    *hardware* is what is plugged in; the kernel may know less of it after a write to `remove`.

    Whatever adds or removes holds the lock of hot-plug, also while it sleeps since a VM holds a device.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.hardware: dict[Address, DeviceSpec] = {}

    def plug(self, specs: Iterable[DeviceSpec]) -> None:
        self.hardware |= {spec.address: spec for spec in specs}
        self.rescan()

    def unplug(self, address: Address) -> None:
        """With all that is below it."""
        with self._kernel.hotplug_lock:
            device = self._kernel.devices.get(address)
            gone = [address] if device is None else [each.spec.address for each in self._subtree(device)]
            for each in gone:
                self.hardware.pop(each, None)
            if device is not None:
                self.remove(device)

    def rescan(self) -> None:
        """Find what is plugged in: first all appear, then they get their drivers."""
        with self._kernel.hotplug_lock:
            new = [self.hardware[address] for address in sorted(self.hardware.keys() - self._kernel.devices.keys())]
            appeared = [self.appear(spec) for spec in new]
            for device in appeared:
                if device.spec.driver is not None:
                    self._kernel.modules.autoload(device.spec.driver)
                self.offer(device)

    def remove(self, device: Device) -> None:
        """First all below lose their drivers, the last first; then they go, the first first; then the device."""
        with self._kernel.hotplug_lock:
            if not device.present:
                return
            for each in reversed(self._subtree(device)):
                self._kernel.binding.unbind(each)
            below = [each for each in self._subtree(device) if each is not device]
            for each in (*below, device):
                self.vanish(each)

    def appear(self, spec: DeviceSpec, *, owner: Device | None = None) -> Device:
        parent = self._parent(spec.address)
        home = self._root(spec.address) if parent is None else parent.home
        device = Device(
            spec=spec,
            home=home / str(spec.address),
            path=self._kernel.tree.path_of(home / str(spec.address)),
            parent=parent,
            mutex=Mutex(self._kernel.lock),
            owner=owner,
        )
        make_folder(self._kernel.tree, device, self._kernel.spec, multifunction=self._shares_slot(spec.address))
        self._kernel.sriov.make_attributes(device)
        self._kernel.groups.join(device)
        self._kernel.devices[spec.address] = device
        self._kernel.tree.link(self._kernel.tree.sysfs / "bus/pci/devices" / device.address, device.home)
        self._kernel.announce("add", device)
        return device

    def offer(self, device: Device) -> None:
        """Look for a driver; without one the device stays as it is."""
        with contextlib.suppress(Refused):
            self._kernel.binding.attach(device)

    def vanish(self, device: Device) -> None:
        """It has no driver any more. Its override goes with it."""
        device.present = False
        self._kernel.tree.fell(self._kernel.tree.sysfs / "bus/pci/devices" / device.address)
        self._kernel.groups.leave(device)
        del self._kernel.devices[device.spec.address]
        self._kernel.announce("remove", device)
        self._kernel.tree.bury(device.home)

    def _subtree(self, device: Device) -> list[Device]:
        """The device and all below it, in order of their addresses, parents first."""
        return [device, *(each for _, each in sorted(self._kernel.devices.items()) if _is_below(each, device))]

    def _parent(self, address: Address) -> Device | None:
        """The innermost bridge with the bus of *address*."""
        bridges = [device for device in self._kernel.devices.values() if _leads_to(device.spec, address)]
        return max(bridges, key=lambda device: len(device.home.parts), default=None)

    def _root(self, address: Address) -> Path:
        return self._kernel.tree.sysfs / f"devices/pci{address.domain:04x}:{address.bus:02x}"

    def _shares_slot(self, address: Address) -> bool:
        return any(_slot(other) == _slot(address) and other != address for other in self.hardware)


def _ancestors(device: Device) -> Iterator[Device]:
    while device.parent is not None:
        device = device.parent
        yield device


def _is_below(device: Device, other: Device) -> bool:
    return other in _ancestors(device)


def _leads_to(spec: DeviceSpec, address: Address) -> bool:
    bridge = spec.bridge
    return (
        bridge is not None
        and spec.address.domain == address.domain
        and bridge.secondary <= address.bus <= bridge.subordinate
    )


def _slot(address: Address) -> tuple[int, int, int]:
    return address.domain, address.bus, address.slot
