"""Each step is one write, and each refusal a sentence."""

from __future__ import annotations

import errno
import os

from pathlib import Path

import pytest

from pcidevices.adapters.sysfs.stepwrites import DeviceStep, refusal, told, write_of
from pcidevices.domain.address import PciAddress
from pcidevices.domain.steps import Bind, ClearOverride, LoadModule, Probe, SetOverride, Unbind
from pcidevices.errors import DriverMissing, SysfsWriteFailed


NIC = PciAddress.parse("0000:04:00.0")
SYSFS = Path("/sys")
OVERRIDE = "bus/pci/devices/0000:04:00.0/driver_override"
STRANGE = ["", ".", "..", "a/b", "../../kernel", "vfio-pci\n", "vfio pci", "ä", "a\0b"]


def refused(step: DeviceStep, number: int) -> str:
    failure = refusal(write_of(step), OSError(number, os.strerror(number)), SYSFS)
    assert isinstance(failure, SysfsWriteFailed)
    return str(failure)


@pytest.mark.parametrize(
    ("step", "file", "text"),
    [
        (SetOverride(NIC, "vfio-pci"), OVERRIDE, "vfio-pci\n"),
        (ClearOverride(NIC), OVERRIDE, "\n"),
        (Unbind(NIC, "e1000e"), "bus/pci/drivers/e1000e/unbind", "0000:04:00.0"),
        (Bind(NIC, "vfio-pci"), "bus/pci/drivers/vfio-pci/bind", "0000:04:00.0"),
        (Probe(NIC), "bus/pci/drivers_probe", "0000:04:00.0"),
    ],
)
def test_each_step_is_one_write(step: DeviceStep, file: str, text: str) -> None:
    write = write_of(step)

    assert (write.file, write.text) == (file, text)


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("kind", [SetOverride, Unbind, Bind])
def test_what_cannot_be_a_drivers_name_is_never_written(kind: type[SetOverride | Unbind | Bind], name: str) -> None:
    """Names come from the API server too, and become part of a path."""
    with pytest.raises(SysfsWriteFailed, match="nothing was written"):
        write_of(kind(NIC, name))


@pytest.mark.parametrize("name", ["8139cp", "vfio-pci", "i801_smbus", "nvme", "a.b"])
def test_what_drivers_are_called_is_taken(name: str) -> None:
    assert write_of(Bind(NIC, name)).file == f"bus/pci/drivers/{name}/bind"


def test_a_refusal_names_device_step_file_answer_and_meaning() -> None:
    assert refused(Unbind(NIC, "e1000e"), errno.ENODEV) == (
        "0000:04:00.0: cannot unbind from e1000e: the kernel answers ENODEV to "
        "/sys/bus/pci/drivers/e1000e/unbind: the driver has not got this device"
    )


@pytest.mark.parametrize(
    ("step", "number", "meaning"),
    [
        (Bind(NIC, "vfio-pci"), errno.ENODEV, "driver override"),
        (Bind(NIC, "vfio-pci"), errno.EBUSY, "has a driver already"),
        (Bind(NIC, "vfio-pci"), errno.EINVAL, "IOMMU"),
        (Probe(NIC), errno.EINVAL, "virtual machine"),
        (Probe(NIC), errno.ENODEV, "gone"),
        (SetOverride(NIC, "vfio-pci"), errno.ENOENT, "gone"),
        (ClearOverride(NIC), errno.EROFS, "read-only"),
        (ClearOverride(NIC), errno.EACCES, "root"),
        (Bind(NIC, "nvme"), errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_the_same_answer_means_something_else_for_each_step(step: DeviceStep, number: int, meaning: str) -> None:
    message = refused(step, number)

    assert errno.errorcode[number] in message
    assert meaning in message


def test_an_answer_without_a_name_is_told_as_it_is() -> None:
    assert "524" in str(refusal(write_of(Probe(NIC)), OSError(524, "Unknown error 524"), SYSFS))


@pytest.mark.parametrize("kind", [Bind, Unbind])
def test_a_driver_without_a_folder_is_missing(kind: type[Bind | Unbind]) -> None:
    error = OSError(errno.ENOENT, "No such file or directory")

    assert isinstance(refusal(write_of(kind(NIC, "vfio-pci")), error, SYSFS), DriverMissing)


def test_every_step_can_be_told_to_a_person() -> None:
    steps = (SetOverride(NIC, "a"), ClearOverride(NIC), Unbind(NIC, "a"), Bind(NIC, "a"), Probe(NIC), LoadModule("a"))

    assert [told(step) for step in steps] == [
        "set the driver override a",
        "clear the driver override",
        "unbind from a",
        "bind to a",
        "probe",
        "load a",
    ]
