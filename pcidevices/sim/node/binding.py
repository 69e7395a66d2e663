"""Which driver a device gets, and how it loses it."""

from __future__ import annotations

import contextlib
import errno

from typing import TYPE_CHECKING

from pcidevices.sim.node.device import Device, Driver, show_state
from pcidevices.sim.node.refuse import Refused


if TYPE_CHECKING:
    from pcidevices.sim.node.kernel import Kernel


# Drivers that leave DMA to others: they may have a device of a group that a VM owns.
_WITHOUT_DMA = ("vfio-pci", "pcieport")


class Binding:
    """The driver core: matching, probing and removing."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def matches(self, driver: Driver, device: Device) -> bool:
        """An override names the only driver there is for a device; it need not know the device's id."""
        if device.override is not None:
            return device.override == driver.name
        return driver.name == device.spec.driver or device.spec.ids in driver.new_ids

    def attach(self, device: Device) -> None:
        """Offer *device* to all drivers, in the order of their registration. EBUSY ends that; nothing else does."""
        with device.mutex:
            for driver in tuple(self._kernel.drivers.values()):
                if device.driver is not None or not device.present:
                    return
                if self.matches(driver, device):
                    self._try(driver, device)

    def offer_all(self, driver: Driver) -> None:
        """Offer all devices without a driver to *driver*, which is new or has learned an id."""
        for device in tuple(self._kernel.devices.values()):
            if self.matches(driver, device):
                with device.mutex, contextlib.suppress(Refused):
                    if device.present and device.driver is None:
                        self._probe(driver, device)

    def bind(self, driver: Driver, device: Device) -> None:
        """Refused with ENODEV, EBUSY, or what the driver answers."""
        if not self.matches(driver, device):
            raise Refused(errno.ENODEV)
        with device.mutex:
            if not device.present:
                raise Refused(errno.ENODEV)
            if device.driver is not None:
                raise Refused(errno.EBUSY)
            self._probe(driver, device)

    def unbind(self, device: Device) -> None:
        """Take its driver away. Sleeps while a VM holds the device; the links are gone before."""
        with contextlib.ExitStack() as locks:
            if device.functions:  # they go with the driver
                locks.enter_context(self._kernel.hotplug_lock)
            locks.enter_context(device.mutex)
            driver = device.driver
            if driver is None:
                return
            self._unlink(driver, device)
            if driver.name == "vfio-pci":
                self._kernel.vfio.remove(device)
            else:
                self._kernel.sriov.disable(device)
                self._kernel.below.remove(device)
            device.driver = None
            show_state(self._kernel.tree, device)
            self._kernel.announce("unbind", device)

    def _try(self, driver: Driver, device: Device) -> None:
        try:
            self._probe(driver, device)
        except Refused as refusal:
            if refusal.number == errno.EBUSY:
                raise

    def _probe(self, driver: Driver, device: Device) -> None:
        if self._is_kept_from_drivers(device):
            raise Refused(errno.ENODEV)
        if driver.name not in _WITHOUT_DMA and self._is_owned_by_a_vm(device):
            raise Refused(errno.EBUSY)
        tree = self._kernel.tree
        tree.link(device.home / "driver", driver.folder)
        tree.link(driver.folder / device.address, device.home)
        device.driver = driver
        try:
            self._start(driver, device)
        except Refused:
            device.driver = None
            self._unlink(driver, device)
            raise
        show_state(tree, device)
        self._kernel.announce("bind", device)

    def _start(self, driver: Driver, device: Device) -> None:
        if driver.name == "vfio-pci":
            self._kernel.vfio.probe(device)
        elif driver.name == device.spec.driver:
            self._kernel.below.make(device)
            self._kernel.sriov.driver_came(device)
        else:  # a host driver cannot drive a device that it does not know
            raise Refused(errno.ENODEV)

    def _unlink(self, driver: Driver, device: Device) -> None:
        self._kernel.tree.fell(device.home / "driver")
        self._kernel.tree.fell(driver.folder / device.address)

    def _is_kept_from_drivers(self, device: Device) -> bool:
        """A virtual function whose owner says so (`sriov_drivers_autoprobe`), except for an override."""
        return device.owner is not None and not device.owner.functions_probe and device.override is None

    def _is_owned_by_a_vm(self, device: Device) -> bool:
        return any(member.held for member in self._kernel.groups.members(device))
