"""What a write to a file in sysfs does, and how it is refused."""

from __future__ import annotations

import errno
import os
import re

from pathlib import Path
from typing import TYPE_CHECKING

from pcidevices.sim.node.device import Device, Driver, show_state
from pcidevices.sim.node.refuse import NotSimulatedError, Refused
from pcidevices.sim.node.spec import Ids
from pcidevices.sim.node.tree import BOTH


if TYPE_CHECKING:
    from pcidevices.sim.node.kernel import Kernel


_NUMBER = re.compile(r"\+?(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)", re.IGNORECASE)
_PAGE = 4096
_WRITABLE = 0o222


class Writes:
    """Each file that can be written, and what it does."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def write(self, path: Path, text: str) -> None:
        """One write of *text*. Raises OSError; sleeps where the kernel sleeps."""
        real = Path(os.path.realpath(path.parent)) / path.name
        where = real.relative_to(os.path.realpath(self._kernel.tree.sysfs)).parts
        _check_open(real, path)
        if not text:
            return  # the kernel does not hear of a write of nothing
        match where:
            case ("bus", "pci", name):
                self._to_bus(name, text)
            case ("bus", "pci", "drivers", driver, name):
                self._to_driver(self._kernel.drivers[driver], name, text)
            case ("devices", *_, address, name) if (device := self._kernel.named(address)) is not None:
                self._to_device(device, name, text)
            case _:
                raise NotSimulatedError(f"the simulated node takes no writes to {path}")

    def _to_bus(self, name: str, text: str) -> None:
        match name:
            case "drivers_probe":
                self._probe(self._device(text))
            case "rescan":
                if _number(text):
                    self._kernel.hotplug.rescan()
            case "drivers_autoprobe":  # it is kept, and changes nothing for hot-plug
                value = "0" if text.startswith("0") else "1"
                self._kernel.tree.attribute(self._kernel.tree.sysfs / "bus/pci/drivers_autoprobe", value, BOTH)
            case _:
                raise NotSimulatedError(f"the simulated node takes no writes to {name} of the bus")

    def _to_driver(self, driver: Driver, name: str, text: str) -> None:
        match name:
            case "bind":
                self._kernel.binding.bind(driver, self._device(text))
            case "unbind":
                device = self._device(text)
                if device.driver is not driver:
                    raise Refused(errno.ENODEV)
                self._kernel.binding.unbind(device)
            case "new_id":
                self._new_id(driver, _ids(text))
            case "remove_id":
                ids = _ids(text)
                if ids not in driver.new_ids:
                    raise Refused(errno.ENODEV)
                driver.new_ids.remove(ids)
            case _:
                raise NotSimulatedError(f"the simulated node takes no writes to {name} of a driver")

    def _to_device(self, device: Device, name: str, text: str) -> None:
        match name:
            case "driver_override":
                self._override(device, text)
            case "enable":
                self._enable(device, on=_number(text) != 0)
            case "remove":
                if _number(text):
                    self._kernel.hotplug.remove(device)
            case "rescan":
                if _number(text):
                    self._kernel.hotplug.rescan()
            case "reset":
                if _number(text) != 1:
                    raise Refused(errno.EINVAL)
            case _:
                self._to_functions(device, name, text)

    def _to_functions(self, device: Device, name: str, text: str) -> None:
        match name:
            case "sriov_numvfs":
                self._kernel.sriov.set_count(device, _number(text, limit=0xFFFF))
            case "sriov_drivers_autoprobe":
                self._kernel.sriov.set_autoprobe(device, on=_boolean(text))
            case _:
                raise NotSimulatedError(f"the simulated node takes no writes to {name} of a device")

    def _device(self, text: str) -> Device:
        device = self._kernel.named(_line(text))
        if device is None:
            raise Refused(errno.ENODEV)
        return device

    def _probe(self, device: Device) -> None:
        """It does nothing, and says so to no one, for a device that has a driver or loses it at this moment."""
        if device.driver is not None:
            return
        try:
            self._kernel.binding.attach(device)
        except Refused as refusal:
            raise Refused(errno.EINVAL) from refusal

    def _enable(self, device: Device, *, on: bool) -> None:
        """It is a count (`enable_store`, drivers/pci/pci-sysfs.c)."""
        if device.driver is not None:
            raise Refused(errno.EBUSY)
        if not on and not device.left_enabled:
            raise Refused(errno.EIO)
        device.left_enabled += 1 if on else -1
        show_state(self._kernel.tree, device)

    def _override(self, device: Device, text: str) -> None:
        """Only the first line counts; none takes the override away."""
        if len(text.encode()) >= _PAGE - 1:
            raise Refused(errno.EINVAL)
        if self._kernel.is_old:
            with device.mutex:
                pass  # 6.1 waits for an unbind that sleeps; 6.12 does not
        name = _c_string(text.partition("\n")[0])
        device.override = name or None
        self._kernel.tree.attribute(device.home / "driver_override", name or "(null)", BOTH)

    def _new_id(self, driver: Driver, ids: Ids) -> None:
        hardware = self._kernel.hotplug.hardware.values()
        if ids in driver.new_ids or any(s.driver == driver.name and s.ids == ids for s in hardware):
            raise Refused(errno.EEXIST)
        driver.new_ids.add(ids)
        self._kernel.binding.offer_all(driver)


def _check_open(real: Path, named: Path) -> None:
    """What open(2) says before anything is written. In sysfs even root cannot open a read-only file for writing."""
    if real.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(named))
    if not real.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(named))
    if not real.stat().st_mode & _WRITABLE:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(named))


def _c_string(text: str) -> str:
    return text.partition("\0")[0]


def _line(text: str) -> str:
    """Without the one newline at the end that the kernel overlooks."""
    return _c_string(text).removesuffix("\n")


def _number(text: str, *, limit: int | None = None) -> int:
    line = _line(text)
    if _NUMBER.fullmatch(line) is None:
        raise Refused(errno.EINVAL)
    octal = len(line) > 1 and line.lstrip("+").startswith("0") and "x" not in line.lower()
    number = int(line, 8) if octal else int(line, 0)
    if limit is not None and number > limit:
        raise Refused(errno.EINVAL)
    return number


def _boolean(text: str) -> bool:
    first = text[:1].lower()
    if first not in {"0", "n", "1", "y"} and text[:2].lower() not in {"on", "of"}:
        raise Refused(errno.EINVAL)
    return first in {"1", "y"} or text[:2].lower() == "on"


def _ids(text: str) -> Ids:
    found = re.match(r"\s*([0-9a-f]+)\s+([0-9a-f]+)", text, re.IGNORECASE)
    if found is None:
        raise Refused(errno.EINVAL)
    return Ids(int(found[1], 16), int(found[2], 16))
