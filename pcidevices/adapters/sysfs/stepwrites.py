"""Each step as the one write that it is, and what the kernel means when it refuses that."""

from __future__ import annotations

import errno
import re

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from pcidevices.domain.address import PciAddress
from pcidevices.domain.steps import Bind, ClearOverride, LoadModule, Probe, SetOverride, Step, Unbind
from pcidevices.errors import DriverMissing, HardwareError, SysfsWriteFailed


DeviceStep = SetOverride | ClearOverride | Unbind | Bind | Probe

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,255}")
_GONE = "the device is gone"
_READ_ONLY = "sysfs cannot be written to; is it mounted read-only, and does the agent run as root?"

# Measured on Linux 6.1 and 6.12 (tests/contract/sysfs); a driver may answer a bind with any other number.
_MEANINGS: dict[tuple[type[Step] | None, int], str] = {
    (Bind, errno.ENODEV): "the driver does not take this device; is another one set as its driver override?",
    (Bind, errno.EBUSY): "it has a driver already, or a virtual machine has a device of its IOMMU group",
    (Bind, errno.EINVAL): "the driver cannot take it: a bridge, or no IOMMU; the kernel's log says more",
    (Unbind, errno.ENODEV): "the driver has not got this device",
    (Probe, errno.ENODEV): _GONE,
    (Probe, errno.EINVAL): "a virtual machine has a device of its IOMMU group",
    (SetOverride, errno.EINVAL): "the kernel does not take this as the name of a driver",
    (SetOverride, errno.ENOENT): _GONE,
    (SetOverride, errno.ENODEV): _GONE,
    (ClearOverride, errno.ENOENT): _GONE,
    (ClearOverride, errno.ENODEV): _GONE,
    (None, errno.EROFS): _READ_ONLY,
    (None, errno.EACCES): _READ_ONLY,
    (None, errno.EPERM): _READ_ONLY,
}


@dataclass(frozen=True, slots=True)
class StepWrite:
    """One step as a write of *text* to *file*, which is a path below sysfs."""

    step: DeviceStep
    file: str
    text: str

    @property
    def address(self) -> PciAddress:
        return self.step.address

    def __str__(self) -> str:
        """What it does, for a person."""
        return told(self.step)


def told(step: Step) -> str:
    """What *step* does, for a person."""
    match step:
        case SetOverride(driver=driver):
            return f"set the driver override {driver}"
        case ClearOverride():
            return "clear the driver override"
        case Unbind(driver=driver):
            return f"unbind from {driver}"
        case Bind(driver=driver):
            return f"bind to {driver}"
        case Probe():
            return "probe"
        case LoadModule(name=name):
            return f"load {name}"
        case _:
            assert_never(step)


def write_of(step: DeviceStep) -> StepWrite:
    """
    The write that *step* is.

    Raises:
        SysfsWriteFailed: it names a driver as no driver can be named; nothing may be written then.
    """
    address = str(step.address)
    match step:
        case SetOverride(driver=driver):
            # An empty write would do nothing, and text without an end be taken as well.
            return StepWrite(step, f"bus/pci/devices/{address}/driver_override", f"{_checked(driver, address)}\n")
        case ClearOverride():
            return StepWrite(step, f"bus/pci/devices/{address}/driver_override", "\n")
        case Unbind(driver=driver):
            return StepWrite(step, f"bus/pci/drivers/{_checked(driver, address)}/unbind", address)
        case Bind(driver=driver):
            return StepWrite(step, f"bus/pci/drivers/{_checked(driver, address)}/bind", address)
        case Probe():
            return StepWrite(step, "bus/pci/drivers_probe", address)
        case _:
            assert_never(step)


def must_have(driver: str, write: StepWrite, sysfs: Path) -> None:
    """
    See that the kernel has *driver*; itself it would take the name of any. Blocking.

    Raises:
        DriverMissing: it has not.
    """
    if not (sysfs / "bus/pci/drivers" / driver).is_dir():
        raise _no_driver(write, sysfs / "bus/pci/drivers" / driver)


def refusal(write: StepWrite, error: OSError, sysfs: Path) -> HardwareError:
    """What *error* means for whoever wanted the step."""
    number = error.errno or 0
    path = sysfs / write.file
    if isinstance(write.step, Bind | Unbind) and number == errno.ENOENT:
        return _no_driver(write, path)
    answer = errno.errorcode.get(number, str(error))
    meaning = _MEANINGS.get((type(write.step), number)) or _MEANINGS.get((None, number)) or error.strerror or "?"
    return SysfsWriteFailed(f"{write.address}: cannot {write}: the kernel answers {answer} to {path}: {meaning}")


def _no_driver(write: StepWrite, path: Path) -> DriverMissing:
    return DriverMissing(f"{write.address}: cannot {write}: the kernel has no such driver ({path} is not there)")


def _checked(driver: str, address: str) -> str:
    if not _NAME.fullmatch(driver):
        raise SysfsWriteFailed(f"{address}: {driver!r} is not the name of a driver; nothing was written")
    return driver
