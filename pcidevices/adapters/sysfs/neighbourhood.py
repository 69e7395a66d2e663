"""One PCI function, and those whose fate it shares: the members of its IOMMU group, its virtual functions."""

from __future__ import annotations

import os

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, Unreadable

from .below import Below
from .files import cannot_see, folder, link, text, unless_out_of_means
from .scan import Beside, device_of, nothing_known, read


class Neighbourhood(NamedTuple):
    """What `Sight` says of the devices themselves."""

    device: PciDevice | Unreadable | None
    others: tuple[PciDevice | Unreadable, ...] = ()
    virtual_functions: tuple[PciDevice | Unreadable, ...] = ()
    modalias: str = ""

    @property
    def members(self) -> list[PciDevice]:
        """Those of the group that could be read, the device first."""
        return [one for one in (self.device, *self.others) if isinstance(one, PciDevice)]


def neighbourhood(
    sysfs: Path, address: PciAddress, *, has_vfio_module: Callable[[str], bool] = nothing_known
) -> Neighbourhood:
    """
    Read them as a scan would, and nothing that the kernel may answer late. Blocking.

    Raises:
        SysfsUnreadable: there is no PCI bus below *sysfs*.
        HostExhausted: what is not seen may be there all the same.
    """
    path = sysfs / "bus/pci/devices"
    try:
        with folder(path) as bus:
            return _around(str(address), bus, Beside(Below.of(sysfs), has_vfio_module))
    except OSError as error:
        bus_is_there = f"is {sysfs} a sysfs, and does this machine have a PCI bus?"
        raise cannot_see(f"cannot open {path}", error, unless=bus_is_there) from error


def _around(name: str, bus: int, beside: Beside) -> Neighbourhood:
    members = _members(name, bus)
    device = _one(name, members, bus, beside)
    if device is None:
        return Neighbourhood(None)
    others = (_one(other, members, bus, beside) for other in members if other != name)
    functions = (_one(function, _members(function, bus), bus, beside) for function in _virtual_functions(name, bus))
    return Neighbourhood(
        device,
        tuple(one for one in others if one is not None),
        tuple(one for one in functions if one is not None),
        text(f"{name}/modalias", below=bus) or "",
    )


def _members(name: str, bus: int) -> list[str]:
    """
    All in the device's IOMMU group; none where it is in none.

    The group's folder is not there in a pod, which has only those parts of sysfs that it needs. The links to it tell
    who is in it, as they tell a scan.
    """
    group = link(f"{name}/iommu_group", below=bus)
    if group is None:
        return []
    listed = _listing(f"{name}/iommu_group/devices", bus)
    if name in listed:
        return listed
    everyone = sorted(os.listdir(bus))
    return [other for other in everyone if link(f"{other}/iommu_group", below=bus) == group]


def _one(name: str, members: list[str], bus: int, beside: Beside) -> PciDevice | Unreadable | None:
    try:
        found = read(name, bus=bus, beside=beside)
        return device_of(found, tuple(sorted(map(PciAddress.parse, members)))) if found is not None else None
    except ValueError as error:
        return Unreadable(name, str(error))
    except OSError as error:
        unless_out_of_means(error)
        return Unreadable(name, str(error))


def _virtual_functions(name: str, bus: int) -> Iterator[str]:
    for entry in _listing(name, bus):
        if entry.startswith("virtfn") and (function := link(f"{name}/{entry}", below=bus)):
            yield function


def _listing(path: str, bus: int) -> list[str]:
    """The names in a folder below *bus*, in order; none when there is no such folder."""
    try:
        with folder(path, below=bus) as fd:
            return sorted(os.listdir(fd))  # noqa: PTH208  an open folder
    except OSError as error:
        unless_out_of_means(error)
        return []
