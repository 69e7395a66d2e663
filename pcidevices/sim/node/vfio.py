"""The driver vfio-pci, and the virtual machines that hold its devices."""

from __future__ import annotations

import errno

from typing import TYPE_CHECKING

from pcidevices.sim.node.class_device import ClassDevice
from pcidevices.sim.node.device import Device, show_state
from pcidevices.sim.node.numbers import Numbers
from pcidevices.sim.node.refuse import Refused


if TYPE_CHECKING:
    from pcidevices.sim.node.kernel import Kernel


_MAJOR = 244
_FOR_ROOT_ALONE = 0o600


class Vfio:
    """Group nodes in /dev/vfio, and the sleep of an unbind while a VM holds the device."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._devices: dict[Device, tuple[int, ClassDevice]] = {}
        self._groups: dict[int, tuple[int, ClassDevice]] = {}
        self._indices = Numbers()
        self._minors = Numbers()

    def probe(self, device: Device) -> None:
        """Raises EINVAL for a bridge, and without an IOMMU."""
        if device.spec.bridge is not None or device.group is None:
            raise Refused(errno.EINVAL)
        if device.group not in self._groups:
            self._open_group(device.group)
        index = self._indices.take()
        folder = device.home / f"vfio-dev/vfio{index}"
        made = ClassDevice(self._kernel.tree, self._kernel.uevents, folder, subsystem="vfio-dev")
        made.describe({}, device=device.home)
        self._devices[device] = index, made
        made.announce("add")

    def remove(self, device: Device) -> None:
        """
        Sleeps until no VM holds the device; its group's node stays as long. (A signal does not wake a sleeper.)

        From 6.12 on the `vfio-dev` goes first; on 6.1 it goes after the sleep.
        """
        index, made = self._devices[device]
        if not self._kernel.is_old:
            made.remove()
        self._kernel.lock.sleep_until(lambda: not device.held)
        if self._kernel.is_old:
            made.remove()
        del self._devices[device]
        self._indices.give_back(index)
        if device.group is not None and all(other.group != device.group for other in self._devices):
            minor, node = self._groups.pop(device.group)
            node.remove()
            self._minors.give_back(minor)

    def hold(self, device: Device) -> None:
        """Raises OSError as the ioctls of VFIO do: EPERM for a group that is not viable."""
        driver = device.driver
        if driver is None or driver.name != "vfio-pci" or not (device.home / "driver").is_symlink():
            raise Refused(errno.ENODEV)
        if device.held:
            raise Refused(errno.EBUSY)
        if not all(_is_harmless(member) for member in self._kernel.groups.members(device)):
            raise Refused(errno.EPERM)
        self._set_held(device, held=True)

    def release(self, device: Device) -> None:
        if device.held:
            self._set_held(device, held=False)
            self._kernel.lock.wake()

    def _set_held(self, device: Device, *, held: bool) -> None:
        device.held = held
        show_state(self._kernel.tree, device)
        users = sum(other.held for other in self._kernel.devices.values())
        self._kernel.modules.count_users("vfio_pci", users)

    def _open_group(self, group: int) -> None:
        tree, minor = self._kernel.tree, self._minors.take()
        node = ClassDevice(
            tree,
            self._kernel.uevents,
            tree.sysfs / f"devices/virtual/vfio/{group}",
            subsystem="vfio",
            properties={"MAJOR": _MAJOR, "MINOR": minor, "DEVNAME": f"vfio/{group}"},
            node_mode=_FOR_ROOT_ALONE,
        )
        self._groups[group] = minor, node
        node.announce("add")


def _is_harmless(member: Device) -> bool:
    """Whether a VM may have the others of a group beside this one."""
    return member.driver is None or member.driver.name in ("vfio-pci", "pcieport")
