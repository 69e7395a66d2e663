"""
Reading every PCI function of the node. Blocking: one call, in a worker thread.

Only attributes that the kernel answers from memory are read here (Documentation/ABI/testing/
sysfs-bus-pci; none of them takes the device's lock). What can block is read in `slow`.
"""

from __future__ import annotations

import os
import re

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import (
    PCI_BRIDGE,
    PciDevice,
    PhysicalFunction,
    Scan,
    SriovRole,
    Unreadable,
    VirtualFunction,
    is_vfio_name,
)
from pcidevices.domain.naming import UNNAMED, PciNames
from pcidevices.errors import DeviceUnreadable

from .below import Below
from .files import cannot_see, exists, folder, link, number, text, unless_out_of_means


_ID = re.compile(r"0x([0-9a-f]{4})")
_CLASS = re.compile(r"0x([0-9a-f]{6})")
_BYTE = re.compile(r"0x([0-9a-f]{2})")
_BRIDGE, _DISPLAY = "06", "03"


class Seen(NamedTuple):
    """A scan, and for each address a number that another device at the same address does not have."""

    scan: Scan
    lives: dict[PciAddress, int]


class Beside(NamedTuple):
    """What is known of the node beside its functions."""

    below: Below
    has_vfio_module: Callable[[str], bool]
    """Whether a driver is of VFIO although its name does not tell."""


Model = tuple[str, str, str]
Names = Callable[[set[Model]], Mapping[Model, PciNames]]


_NO_NAMES: Mapping[Model, PciNames] = {}


def unnamed(_: set[Model]) -> Mapping[Model, PciNames]:
    """Where ids will do."""
    return _NO_NAMES


def nothing_known(_: str) -> bool:
    """Where nobody knows the host's modules, the names of drivers have to do."""
    return False


def scan(sysfs: Path, has_vfio_module: Callable[[str], bool] = nothing_known, *, names: Names = unnamed) -> Seen:
    """
    Read all PCI functions below *sysfs*; *has_vfio_module* tells of a driver whether it is one of VFIO's.

    A function that vanishes while it is read is left out, like any that vanished just before; one
    that makes no sense is told apart. Neither costs the others anything.

    Raises:
        SysfsUnreadable: there is no PCI bus below *sysfs*.
        HostExhausted: what is not seen may be there all the same.
    """
    path = sysfs / "bus/pci/devices"
    try:
        with folder(path) as bus:
            return _look(bus, Beside(Below.of(sysfs), has_vfio_module), names)
    except OSError as error:
        bus_is_there = f"is {sysfs} a sysfs, and does this machine have a PCI bus?"
        raise cannot_see(f"cannot list {path}", error, unless=bus_is_there) from error


class Read(NamedTuple):
    """What was read of one function: the fields of a PciDevice but those of its group, or why there are none."""

    address: PciAddress
    life: int
    group: str | None
    facts: dict[str, Any] | Unreadable

    @property
    def model(self) -> Model | None:
        """Its vendor, device and class id, by which it has its names."""
        if isinstance(self.facts, Unreadable):
            return None
        return self.facts["vendor"], self.facts["device"], self.facts["class_code"][:4]


def read(name: str, *, bus: int, beside: Beside) -> Read | None:
    """
    Read the function in folder *name* of the open folder *bus*; None when it is not there, or vanishes meanwhile.

    Raises:
        ValueError: *name* is no address.
        OSError: the folder cannot be read.
    """
    address = _address(name)
    try:
        with folder(name, below=bus) as fd:
            life = os.fstat(fd).st_ino
            found = Read(address, life, link("iommu_group", below=fd), _facts_or_problem(address, fd, beside))
        is_the_same = os.stat(name, dir_fd=bus).st_ino == life  # or another device has taken its place
    except FileNotFoundError:
        return None
    return found if is_the_same else None


def _look(bus: int, beside: Beside, names: Names) -> Seen:
    found: list[Read] = []
    unreadable: list[Unreadable] = []
    groups: defaultdict[str | None, list[PciAddress]] = defaultdict(list)
    for name in sorted(os.listdir(bus)):
        try:
            one = read(name, bus=bus, beside=beside)
        except ValueError as error:
            unreadable.append(Unreadable(name, str(error)))
            continue
        except OSError as error:
            unless_out_of_means(error)
            unreadable.append(Unreadable(name, str(error)))
            continue
        if one is not None:
            groups[one.group].append(one.address)
            found.append(one)
    members = {group: tuple(sorted(addresses)) for group, addresses in groups.items()} | {None: ()}
    names_of = names({model for one in found if (model := one.model)})
    made = [device_of(one, members[one.group], names_of) for one in found]
    devices = sorted((one for one in made if isinstance(one, PciDevice)), key=lambda device: device.address)
    unreadable += [one for one in made if isinstance(one, Unreadable)]
    lives = {one.address: one.life for one in found if not isinstance(one.facts, Unreadable)}
    return Seen(Scan(tuple(devices), tuple(unreadable)), lives)


def device_of(
    found: Read, members: tuple[PciAddress, ...], names_of: Mapping[Model, PciNames] = _NO_NAMES
) -> PciDevice | Unreadable:
    """The device, with the *members* of its group and its model's names."""
    if isinstance(found.facts, Unreadable):
        return found.facts
    names = names_of.get(found.model, UNNAMED) if found.model else UNNAMED
    return PciDevice(**found.facts, iommu_group=found.group, iommu_group_members=members, names=names)


def _address(name: str) -> PciAddress:
    address = PciAddress.parse(name)
    if str(address) != name:  # the kernel always writes the domain; two folders must not be one device
        raise ValueError(f"not an address as the kernel writes it: {name!r}")
    return address


def _facts_or_problem(address: PciAddress, fd: int, beside: Beside) -> dict[str, Any] | Unreadable:
    try:
        return _facts(address, fd, beside)
    except (DeviceUnreadable, ValueError) as error:
        return Unreadable(str(address), str(error))


def _facts(address: PciAddress, fd: int, beside: Beside) -> dict[str, Any]:
    """The fields of a PciDevice but those of its group, as a dictionary: it is made only once all are known."""
    class_code = _hex("class", _CLASS, fd)
    revision = _BYTE.fullmatch(text("revision", below=fd) or "")
    numa_node = number("numa_node", below=fd)
    is_bridge = class_code.startswith(_BRIDGE) and exists("secondary_bus_number", below=fd)
    driver = link("driver", below=fd)
    by_name = driver is not None and is_vfio_name(driver)
    by_module = driver is not None and not by_name and beside.has_vfio_module(driver)
    return {
        "address": address,
        "vendor": _hex("vendor", _ID, fd),
        "device": _hex("device", _ID, fd),
        "class_code": class_code,
        "revision": revision and revision[1],
        "subsystem": _subsystem(fd),
        "driver": driver,
        "is_vfio_by_module": by_module,
        "numa_node": None if numa_node is None or numa_node < 0 else numa_node,
        "is_bridge": is_bridge or class_code.startswith(PCI_BRIDGE),
        "boot_vga": class_code.startswith(_DISPLAY) and text("boot_vga", below=fd) == "1",
        "sriov": _sriov(fd),
        "network_interfaces": beside.below.network_interfaces.get(address, ()),
        "block_devices": beside.below.block_devices.get(address, ()),
        "vfio_device": _vfio_device(fd) if by_name or by_module else None,
    }


def _vfio_device(fd: int) -> str | None:
    """The device's name below ``/dev/vfio/devices``; it has a number only where the kernel makes such nodes."""
    try:
        with folder("vfio-dev", below=fd) as made:
            names = sorted(os.listdir(made))  # noqa: PTH208  of an open folder
            return next((name for name in names if exists(f"{name}/dev", below=made)), None)
    except OSError as error:
        unless_out_of_means(error)
        return None


def _subsystem(fd: int) -> str | None:
    ids = [_ID.fullmatch(text(name, below=fd) or "") for name in ("subsystem_vendor", "subsystem_device")]
    known = [match[1] for match in ids if match]
    # Bridges and some old devices have none, which reads as zeros.
    return ":".join(known) if len(known) == len(ids) and set(known) != {"0000"} else None


def _hex(name: str, pattern: re.Pattern[str], fd: int) -> str:
    found = text(name, below=fd)
    if found is None:
        raise DeviceUnreadable(f"{name} cannot be read")
    match = pattern.fullmatch(found.lower())
    if match is None:
        raise DeviceUnreadable(f"{name} is {found[:40]!r}, not a number like the kernel's")
    return match[1]


def _sriov(fd: int) -> SriovRole | None:
    physical = link("physfn", below=fd)
    if physical is not None:
        return VirtualFunction(PciAddress.parse(physical))
    total = number("sriov_totalvfs", below=fd)
    if not total:
        return None
    # sriov_numvfs blocks while the VFs are being taken away; the links do not.
    virtual = sum(name.startswith("virtfn") for name in os.listdir(fd))
    return PhysicalFunction(total_vfs=total, num_vfs=virtual)
