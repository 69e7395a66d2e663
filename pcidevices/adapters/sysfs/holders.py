"""Who has a device of an IOMMU group open. Blocking, but never for long; no device is opened for it."""

from __future__ import annotations

import os

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice
from pcidevices.domain.sight import Holder

from .files import folder, listing, number, text, unless_out_of_means


_NODES = "/dev/vfio"


def holders(
    members: Iterable[PciDevice], vfio_drivers: Collection[str], *, sysfs: Path, proc: Path, dev: Path
) -> tuple[Holder, ...]:
    """
    What tells that somebody has one of *members* open, which are of one group.

    A device that no driver has may be held as well: the link to its driver goes at once when an unbind begins to
    hang. The device of a program with an open group node need not be known: then the holder has no address.
    """
    open_to_vms = [one for one in members if not one.is_bridge and (one.driver is None or one.driver in vfio_drivers)]
    enabled = [
        Holder(one.address, "the device is enabled, as it is while a virtual machine has it")
        for one in open_to_vms
        if _can_be_open(one, dev) and _is_enabled(sysfs / "bus/pci/devices" / str(one.address))
    ]
    return (*enabled, *_with_open_nodes(_nodes(open_to_vms, vfio_drivers, sysfs, dev), proc, dev))


def _can_be_open(member: PciDevice, dev: Path) -> bool:
    """Of a device without driver the group's node stays for as long as somebody has it open."""
    return member.driver is not None or (dev / f"vfio/{member.iommu_group}").exists()


def _is_enabled(home: Path) -> bool:
    """
    Whether `enable` counts one who has the device open.

    Host drivers such as i915 leave a device enabled when they go; vfio lets it sleep while nobody has it open.
    """
    try:
        with folder(home) as fd:
            return (number("enable", below=fd) or 0) > 0 and text("power/runtime_status", below=fd) != "suspended"
    except OSError as error:
        unless_out_of_means(error)
        return False


def _nodes(
    members: list[PciDevice], vfio_drivers: Collection[str], sysfs: Path, dev: Path
) -> dict[str, PciAddress | None]:
    """The nodes by which *members* can be opened, as descriptors are told to lead to them."""
    found: dict[str, PciAddress | None] = {}
    for one in members:
        has_node = one.driver in vfio_drivers or (dev / f"vfio/{one.iommu_group}").exists()
        if one.iommu_group is not None and has_node:
            found[f"{_NODES}/{one.iommu_group}"] = None
        for name in listing(sysfs / "bus/pci/devices" / str(one.address) / "vfio-dev"):
            found[f"{_NODES}/devices/{name}"] = one.address
    return found


def _with_open_nodes(nodes: Mapping[str, PciAddress | None], proc: Path, dev: Path) -> Iterator[Holder]:
    """One pass through all open descriptors of the machine, as far as they may be read."""
    if not nodes:
        return
    # A descriptor's path is told as its own process sees it, or as we do where both see the same /dev.
    known = {**nodes, **{f"{dev}/vfio{node.removeprefix(_NODES)}": address for node, address in nodes.items()}}
    ourselves = _link(proc / "self")
    for process in listing(proc):
        if not process.isdecimal() or process == ourselves:
            continue
        opened = {target for target in _descriptors(proc / process) if target in known}
        for address in {known[target] for target in opened}:
            yield Holder(address, f"process {process} ({_command(proc / process)})")


def _descriptors(process: Path) -> Iterator[str]:
    for name in listing(process / "fd"):
        if target := _link(process / "fd" / name):
            yield target


def _link(path: Path) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115  the text is wanted, not a path
    except OSError as error:
        unless_out_of_means(error)
        return None


def _command(process: Path) -> str:
    try:
        with folder(process) as fd:
            return text("comm", below=fd) or "?"
    except OSError as error:
        unless_out_of_means(error)
        return "?"
