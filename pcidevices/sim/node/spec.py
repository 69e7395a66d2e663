"""What a simulated node is made of, as values. `parse` reads them from YAML."""

from __future__ import annotations

import enum

from collections.abc import Mapping
from dataclasses import dataclass, field

from pcidevices.sim.node.address import Address


MAPPED = "dm "


class ModuleState(enum.Enum):
    """Where the code of a driver is."""

    BUILT_IN = "built-in"
    LOADED = "loaded"
    LOADABLE = "loadable"
    MISSING = "missing"


class BridgeKind(enum.Enum):
    """A port isolates what is below it; a conventional bridge makes one IOMMU group of itself and all below."""

    PORT = "port"
    CONVENTIONAL = "conventional"


@dataclass(frozen=True, slots=True, order=True)
class Ids:
    """Who made a device, and which of its devices it is."""

    vendor: int
    device: int

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.device:04x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSpec:
    """A kernel module and the PCI drivers in it."""

    name: str
    state: ModuleState = ModuleState.LOADED
    drivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSpec:
    """The buses below a bridge. A port without ACS shares its IOMMU group with what is below it."""

    secondary: int
    subordinate: int
    kind: BridgeKind = BridgeKind.PORT
    acs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSpec:
    """
    A network interface and its use at boot.

    *master* is the bond or bridge that it belongs to, *uppers* are virtual interfaces on it (VLANs, macvtaps),
    *gateway* makes it that of the default route, *elsewhere* moves it to another network namespace.
    """

    name: str
    up: bool = False
    master: str | None = None
    uppers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    gateway: str | None = None
    elsewhere: bool = False
    virtio: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpec:
    """
    A disk; a partition is mounted at its value, is `swap`, or (empty) is not used. Number 0 is the whole disk.

    With `dm NAME` it is a part of what the device mapper calls NAME.
    """

    kind: str  # "nvme", "virtio", "ata"
    name: str = ""  # nvme disks are named by the kernel
    model: str = "Simulated Disk"
    serial: str = "SIM0"
    multipath: bool = True
    partitions: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SriovSpec:
    """
    The virtual functions that a device can have, and how many it has at boot.

    The host driver may use fewer than the device has: *limit* is its number, *total* that of the device.
    """

    total: int
    limit: int
    vfs: int
    offset: int
    stride: int
    ids: Ids
    driver: str | None = None
    net: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """A PCI function. *driver* is the host's that knows it, *group* a name that members of an IOMMU group share."""

    address: Address
    ids: Ids
    subsystem: Ids
    class_code: int
    revision: int = 0
    driver: str | None = None
    group: str | None = None
    numa_node: int = -1
    boot_vga: bool = False
    resettable: bool = True
    serial: str | None = None
    bridge: BridgeSpec | None = None
    sriov: SriovSpec | None = None
    nets: tuple[NetSpec, ...] = ()
    disks: tuple[DiskSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """A whole machine: its devices, its kernel, and which CPUs are on which NUMA node."""

    devices: Mapping[Address, DeviceSpec]
    modules: Mapping[str, ModuleSpec]
    numa: Mapping[int, str]
    iommu: bool = True
    kernel: str = "6.12"
