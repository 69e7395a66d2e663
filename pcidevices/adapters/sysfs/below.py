"""Which network interfaces and disks hang below which PCI function."""

from __future__ import annotations

import os
import re

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pcidevices.domain.address import PciAddress

from .files import listing, unless_out_of_means


_PCI_PARENT = re.compile(r"/([0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7])(?=/)")
_NVME_SUBSYSTEM = re.compile(r"/nvme-subsystem/(nvme-subsys\d+)/nvme\d+n\d+$")
# With native multipath a controller's own path to a namespace; it has no node in /dev (nvme.h, NVME_NS_…).
_NVME_PATH = re.compile(r"nvme\d+c\d+n\d+")


@dataclass(frozen=True, slots=True)
class Below:
    """For each PCI function the names of its network interfaces and whole disks, in order."""

    network_interfaces: Mapping[PciAddress, tuple[str, ...]]
    block_devices: Mapping[PciAddress, tuple[str, ...]]

    @classmethod
    def of(cls, sysfs: Path) -> Below:
        """
        Look from the leaves up: one link for each interface and disk, whatever stands between.

        So a NIC below virtio, a disk below an HBA and one on a USB controller are found alike. What is
        in another network namespace is not seen from here.
        """
        net, block = sysfs / "class/net", sysfs / "class/block"
        interfaces = [(name, owner) for name in listing(net) if (owner := _owner(_target(net / name)))]
        subsystems = _nvme_subsystems(sysfs)
        disks: list[tuple[str, PciAddress]] = []
        for name in listing(block):
            target = _target(block / name)
            if _NVME_PATH.fullmatch(name) or _is_partition(target, name):
                continue
            if shared := _NVME_SUBSYSTEM.search(target):
                disks += [(name, owner) for owner in subsystems.get(shared[1], ())]
            elif owner := _owner(target):
                disks.append((name, owner))
        return cls(_by_owner(interfaces), _by_owner(disks))


def _target(path: Path) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115  the text is wanted, not a path
    except OSError as error:
        unless_out_of_means(error)
        return ""


def _owner(target: str) -> PciAddress | None:
    parents = _PCI_PARENT.findall(target)
    return PciAddress.parse(parents[-1]) if parents else None


def _is_partition(target: str, name: str) -> bool:
    """A partition's folder lies in its disk's: ``…/block/sda/sda1``, ``…/nvme0/nvme0n1/nvme0n1p1``."""
    parent = target.rpartition("/")[0].rpartition("/")[2]
    return parent not in {"", "block"} and name.startswith(parent) and name[len(parent) :].lstrip("p").isdecimal()


def _nvme_subsystems(sysfs: Path) -> dict[str, list[PciAddress]]:
    """The PCI functions of each NVMe subsystem: its namespaces are the subsystem's, not the controllers'."""
    found: dict[str, list[PciAddress]] = {}
    top = sysfs / "class/nvme-subsystem"
    for subsystem in listing(top):
        targets = (_target(top / subsystem / name) for name in listing(top / subsystem) if name.startswith("nvme"))
        found[subsystem] = [owner for target in targets if (owner := _owner(target))]
    return found


def _by_owner(pairs: list[tuple[str, PciAddress]]) -> dict[PciAddress, tuple[str, ...]]:
    grouped: defaultdict[PciAddress, list[str]] = defaultdict(list)
    for name, owner in pairs:
        grouped[owner].append(name)
    return {owner: tuple(names) for owner, names in grouped.items()}
