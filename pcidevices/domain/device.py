"""What a PCI device is, as far as this program cares."""

from __future__ import annotations

import math

from dataclasses import dataclass, field

from .address import PciAddress
from .naming import UNNAMED, PciNames


PCI_BRIDGE = "0604"
"""The class of PCI-to-PCI bridges: topology, and nothing a VM could be given."""
_VFIO_ENDINGS = ("vfio-pci", "vfio_pci")


def is_vfio_name(driver: str) -> bool:
    """Whether a driver's name says that it hands devices to virtual machines: vfio-pci, and most variants of it."""
    return driver.endswith(_VFIO_ENDINGS)


@dataclass(frozen=True, slots=True)
class PhysicalFunction:
    """SR-IOV: a function that can have virtual ones (Documentation/PCI/pci-iov-howto.rst)."""

    total_vfs: int
    num_vfs: int


@dataclass(frozen=True, slots=True)
class VirtualFunction:
    """SR-IOV: a function that belongs to a physical one."""

    physical_function: PciAddress


SriovRole = PhysicalFunction | VirtualFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """
    One PCI function as last seen in sysfs.

    Ids are lower-case hex digits without ``0x``: four for vendor and device, six for the class
    (class, subclass, programming interface), two for the revision. What the kernel does not tell is None.
    """

    address: PciAddress
    vendor: str
    device: str
    class_code: str
    revision: str | None = None
    subsystem: str | None = None
    """``vendor:device`` of the subsystem, such as ``1458:3702``."""
    driver: str | None = None
    is_vfio_by_module: bool = False
    """The driver is a variant of vfio-pci with a name of its own, as its module tells."""
    iommu_group: str | None = None
    iommu_group_members: tuple[PciAddress, ...] = ()
    """All functions of the group, this one among them, in order."""
    numa_node: int | None = None
    is_bridge: bool = False
    boot_vga: bool = False
    sriov: SriovRole | None = None
    serial: str | None = None
    names: PciNames = UNNAMED
    network_interfaces: tuple[str, ...] = ()
    block_devices: tuple[str, ...] = ()
    vfio_device: str | None = None
    """What vfio calls it, such as ``vfio0``, while it is on a vfio driver."""

    def is_published(self, *, bridges: bool) -> bool:
        """Whether the device gets an object: PCI-to-PCI bridges only where *bridges* says so."""
        return bridges or self.class_id != PCI_BRIDGE

    @property
    def is_on_vfio(self) -> bool:
        """Whether a driver has it that hands it to virtual machines."""
        return self.is_vfio_by_module or (self.driver is not None and is_vfio_name(self.driver))

    @property
    def class_id(self) -> str:
        """Class and subclass, four hex digits, as in ``lspci -nn``."""
        return self.class_code[:4]

    @property
    def model(self) -> tuple[str, str]:
        return self.vendor, self.device


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A function that sysfs lists but that could not be read, and why."""

    name: str
    """The folder's name in sysfs: an address, unless that is what makes no sense."""
    problem: str


@dataclass(frozen=True, slots=True)
class Scan:
    """All PCI functions of the node at one moment, in the order of their addresses."""

    devices: tuple[PciDevice, ...]
    unreadable: tuple[Unreadable, ...] = ()
    begun: float = field(default=math.inf, compare=False)
    """Seconds, of the loop's clock. What was looked at since may be newer than what the scan says of it."""
