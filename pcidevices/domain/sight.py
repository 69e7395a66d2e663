"""What is seen of one device at the moment that something is decided about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .address import PciAddress
from .device import PciDevice, Unreadable


@dataclass(frozen=True, slots=True)
class HostUse:
    """The host uses the device: *text* says how, for a person (``/dev/sda1 is mounted at /``)."""

    text: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A virtual machine, or another program, has a device of the group open."""

    address: PciAddress | None
    """The device; None where only the group is known."""
    text: str
    """Who, for a person (``process 4711 (qemu-system-x86)``), or how one can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VfioDriver:
    """The driver that would have the device for virtual machines."""

    module: str
    """The module that knows the device best: ``vfio_pci``, or a variant such as ``mlx5_vfio_pci``."""
    name: str | None = None
    """The driver's name, once the kernel has it; None while the module is not loaded."""
    can_be_loaded: bool | None = None
    """Whether there is such a module for this kernel; None when that is not known, or it is there already."""

    @property
    def expected_name(self) -> str:
        """
        Its name, or what that will be: all variants in Linux bear their module's (KBUILD_MODNAME, drivers/vfio/pci).

        For one from elsewhere that may be wrong, which costs no more than a refused `SetOverride`.
        """
        return self.name or ("vfio-pci" if self.module == "vfio_pci" else self.module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """
    One PCI function and all around it that matters to a claim, looked at just now.

    *device* is None when there is nothing at *address*.
    """

    address: PciAddress
    device: PciDevice | Unreadable | None = None
    others: tuple[PciDevice | Unreadable, ...] = ()
    """The other members of its IOMMU group."""
    virtual_functions: tuple[PciDevice | Unreadable, ...] = ()
    """Those that it has, when it is a physical function."""
    override: str | None = None
    """The driver override; None when there is none."""
    modalias: str = ""
    is_silent: bool = False
    """The kernel does not answer for the device: something else is being done to it, and hangs."""
    serial_is_unanswered: bool = False
    """It may have a serial number, and has not told it in time: who cannot do without must wait."""
    write_under_way: str | None = None
    """A step of ours that has not returned yet, for a person (``unbind from vfio-pci``)."""
    host_uses: tuple[HostUse, ...] = ()
    holders: tuple[Holder, ...] = ()
    """Who has a device of the group open by VFIO. Empty is no proof that nobody has."""
    vfio: VfioDriver = field(default_factory=lambda: VfioDriver(module="vfio_pci"))
    drivers: frozenset[str] = frozenset()
    """The PCI drivers that the kernel has now."""
    vfio_drivers: frozenset[str] = frozenset()
    """Those of them that hand devices to virtual machines: vfio-pci and its variants."""
    is_advertised: bool = False
    """The kubelet may still give the device to a pod."""
    machine: str | None = None
    """The system UUID of this machine, lower case; None where it cannot be read."""

    @property
    def saw_nothing(self) -> bool:
        """The look itself has not come to its end: it says nothing, of the machine neither."""
        return self.is_silent and isinstance(self.device, Unreadable)
