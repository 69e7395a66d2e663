from __future__ import annotations

import errno

from dataclasses import replace
from typing import TYPE_CHECKING

from pcidevices.sim.node.device import Device
from pcidevices.sim.node.refuse import Refused
from pcidevices.sim.node.spec import DeviceSpec, NetSpec, SriovSpec
from pcidevices.sim.node.tree import BOTH


if TYPE_CHECKING:
    from pcidevices.sim.node.kernel import Kernel


class Sriov:
    """Virtual functions: made and removed by the host driver of the physical one, and gone with it."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def make_attributes(self, device: Device) -> None:
        if device.spec.sriov is None:
            return
        spec = device.spec.sriov
        self._kernel.tree.attributes(
            device.home,
            {
                "sriov_totalvfs": spec.total,
                "sriov_offset": spec.offset,
                "sriov_stride": spec.stride,
                "sriov_vf_device": f"{spec.ids.device:x}",
            },
        )
        self._kernel.tree.attributes(device.home, {"sriov_numvfs": 0, "sriov_drivers_autoprobe": 1}, BOTH)

    def driver_came(self, device: Device) -> None:
        self._show_total(device, with_driver=True)

    def set_count(self, device: Device, count: int) -> None:
        """What a write to `sriov_numvfs` does; raises ERANGE, ENOENT or EBUSY."""
        spec = device.spec.sriov
        if spec is None or count > self._total(spec, device):
            raise Refused(errno.ERANGE)
        with device.mutex:  # what needs no change, or cannot be, does not wait for hot-plug
            if _is_settled(device, count):
                return
        with self._kernel.hotplug_lock, device.mutex:
            if _is_settled(device, count):
                return
            if count == 0:
                self._remove_all(device)
            else:
                self._make(device, spec, count)

    def set_autoprobe(self, device: Device, *, on: bool) -> None:
        device.functions_probe = on
        self._kernel.tree.attribute(device.home / "sriov_drivers_autoprobe", str(int(on)), BOTH)

    def disable(self, device: Device) -> None:
        """The host driver goes, and its virtual functions with it, also those that others use."""
        if device.spec.sriov is not None:
            self._remove_all(device)
            self._show_total(device, with_driver=False)

    def _make(self, device: Device, spec: SriovSpec, count: int) -> None:
        for index in range(count):
            function = self._kernel.hotplug.appear(_function(device.spec, spec, index), owner=device)
            device.functions.append(function)
            self._kernel.tree.link(device.home / f"virtfn{index}", function.home)
            self._kernel.tree.link(function.home / "physfn", device.home)
            self._kernel.announce("change", function)
            self._kernel.hotplug.offer(function)
        self._show_count(device)
        self._kernel.announce("change", device)

    def _remove_all(self, device: Device) -> None:
        """First to last. The links between the two go before a sleep in the unbind, the function after it."""
        for index, function in enumerate(tuple(device.functions)):
            self._kernel.tree.fell(device.home / f"virtfn{index}")
            self._kernel.tree.fell(function.home / "physfn")
            self._kernel.binding.unbind(function)
            self._kernel.hotplug.vanish(function)
            device.functions.remove(function)
        self._show_count(device)

    def _show_count(self, device: Device) -> None:
        self._kernel.tree.attribute(device.home / "sriov_numvfs", str(len(device.functions)), BOTH)

    def _show_total(self, device: Device, *, with_driver: bool) -> None:
        if device.spec.sriov is not None:
            total = device.spec.sriov.limit if with_driver else device.spec.sriov.total
            self._kernel.tree.attribute(device.home / "sriov_totalvfs", str(total))

    def _total(self, spec: SriovSpec, device: Device) -> int:
        """A host driver may use fewer than there are."""
        has_host_driver = device.driver is not None and device.driver.name == device.spec.driver
        return spec.limit if has_host_driver else spec.total


def _is_settled(device: Device, count: int) -> bool:
    if count == len(device.functions):
        return True
    if device.driver is None or device.driver.name == "vfio-pci":
        raise Refused(errno.ENOENT)
    if count and device.functions:
        raise Refused(errno.EBUSY)
    return False


def _function(owner: DeviceSpec, spec: SriovSpec, index: int) -> DeviceSpec:
    return replace(
        owner,
        address=owner.address.after(spec.offset + index * spec.stride),
        ids=spec.ids,
        driver=spec.driver,
        group=None,
        serial=None,
        sriov=None,
        boot_vga=False,
        nets=(NetSpec(name=f"{spec.net}{index}"),) if spec.net else (),
        disks=(),
    )
