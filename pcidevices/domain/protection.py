"""What must not be taken from the host, and why."""

from __future__ import annotations

from collections.abc import Iterator

from .address import PciAddress
from .claim import Claim
from .device import PciDevice, Unreadable
from .sight import Sight


_BRIDGES = "06"
_CHIPSET = {
    "0800": "an interrupt controller",
    "0801": "a DMA controller",
    "0802": "a timer",
    "0803": "a real-time clock",
    "0804": "a hot-plug controller",
    "0806": "an IOMMU",
    "0c05": "the system management bus",
    "0500": "memory of the chipset",
    "0b00": "a processor",
}
"""Class codes (PCI Code and ID Assignment Specification) of parts that a machine cannot spare; all have drivers that
the kernel would unbind without a word."""
_SHOWN = 5


def why_never(device: PciDevice) -> str | None:
    """Why the device can be claimed under no circumstances; None when it can be."""
    if device.is_bridge or device.class_code.startswith(_BRIDGES):
        return f"{device.address} is a bridge (class {device.class_id}): other devices are reached through it"
    return None


def protections(sight: Sight, device: PciDevice) -> tuple[str, ...]:
    """How the host depends on the device, each for a person; a claim that allows it by name gets it all the same."""
    return tuple(_protections(sight, device))


def in_use_below(sight: Sight) -> str | None:
    """Which virtual functions somebody uses, that would vanish with their physical function; None if none."""
    readable = (vf for vf in sight.virtual_functions if isinstance(vf, PciDevice))
    if used := [str(vf.address) for vf in readable if vf.is_on_vfio or vf.driver in sight.vfio_drivers]:
        return f"its virtual functions {', '.join(used)} are on vfio drivers and would vanish"
    if unreadable := [vf.name for vf in sight.virtual_functions if isinstance(vf, Unreadable)]:
        return f"its virtual functions {', '.join(unreadable)} cannot be read, and would vanish with whoever uses them"
    return None


def is_allowed_by_name(claim: Claim) -> bool:
    """Whether the claim's annotation names this very device."""
    try:
        return PciAddress.parse(claim.allow_protected) == claim.address
    except ValueError:
        return False


def blockers(sight: Sight) -> tuple[str, ...]:
    """
    Members of the IOMMU group that keep the others from virtual machines.

    That is who has a driver of the host that does DMA: bridges, their port driver and pci-stub do none
    (drivers with ``driver_managed_dma``, linux/drivers/pci).
    """
    return tuple(_blockers(sight))


def listed(texts: tuple[str, ...]) -> str:
    """The first few of many, for a person."""
    more = len(texts) - _SHOWN
    return "; ".join(texts[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _protections(sight: Sight, device: PciDevice) -> Iterator[str]:
    if device.boot_vga:
        yield f"{device.address} is the display of the boot console"
    if part := _CHIPSET.get(device.class_id):
        yield f"{device.address} is {part} (class {device.class_id})"
    if sight.virtual_functions:
        yield f"{device.address} has {len(sight.virtual_functions)} virtual functions, which would vanish"
    for use in sight.host_uses:
        yield use.text


def _blockers(sight: Sight) -> Iterator[str]:
    harmless = sight.vfio_drivers | {None, "pcieport", "pci-stub"}
    for other in sight.others:
        match other:
            case Unreadable(name, problem):
                yield f"{name} cannot be read ({problem})"
            case PciDevice(address=address, driver=driver) if driver not in harmless and not other.is_bridge:
                yield f"{address} is on {driver}"
