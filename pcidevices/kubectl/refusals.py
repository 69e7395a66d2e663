"""
What the agent would answer, as far as the objects tell: the rules and the words are its own.

The host's disks, addresses and swap are not in the objects; of those only the agent knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import PCIDeviceStatus
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, PhysicalFunction, SriovRole, VirtualFunction
from pcidevices.domain.protection import blockers, in_use_below, listed, protections, why_never
from pcidevices.domain.sight import Sight

from .objects import Claim, Device


class Objection(NamedTuple):
    """Why a claim would not be Ready."""

    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def objection(device: Device, neighbours: Iterable[Device], claim: Claim | None, *, allowed: bool) -> Objection | None:
    """
    Why the device cannot be claimed; None when nothing speaks against it.

    *neighbours* are devices of its node, *claim* is the one that has it; *allowed* says that the host's use shall not
    keep it.
    """
    if claim is not None:
        by = f" of {claim.spec.user_name}" if claim.spec.user_name else ""
        return Objection(Reason.CLAIMED_BY_ANOTHER, f"claim {claim.name}{by} has it already")
    sight = sight_of(device, neighbours)
    seen = sight.device
    if not isinstance(seen, PciDevice):
        return None  # an object without a status yet
    if never := why_never(seen):
        return Objection(Reason.NOT_CLAIMABLE, f"{never}; nothing can allow it")
    if host := _host_objection(sight, seen, allowed=allowed):
        return host
    lost = f"{seen.address} has no IOMMU group; is the IOMMU on?"
    return Objection(Reason.NO_IOMMU_GROUP, lost) if seen.iommu_group is None else None


def _host_objection(sight: Sight, seen: PciDevice, *, allowed: bool) -> Objection | None:
    """How the host, or a virtual machine, would miss the device; the host has none that is on a vfio driver."""
    if seen.is_on_vfio:
        return None
    if used := in_use_below(sight):
        return Objection(Reason.DEVICE_IN_USE, f"{seen.address}: {used}; release them first")
    uses = protections(sight, seen)
    return Objection(Reason.DEVICE_PROTECTED, listed(uses)) if uses and not allowed else None


def not_viable(device: Device, neighbours: Iterable[Device], claimed: Sequence[Device]) -> Objection | None:
    """What of the IOMMU group would keep the device from virtual machines when *claimed* are claimed too."""
    coming = {other.status.address for other in claimed}
    sight = sight_of(device, (other for other in neighbours if other.status.address not in coming))
    others = blockers(sight)
    if not others:
        return None
    group = f"IOMMU group {device.status.iommu_group}"
    return Objection(Reason.GROUP_NOT_VIABLE, f"{group} is shared: {listed(others)}")


def is_bridge(device: Device) -> bool:
    """Whether it can never be claimed; a group goes to virtual machines without its bridges."""
    seen = seen_of(device.status)
    return seen is not None and why_never(seen) is not None


def group_of(device: Device, neighbours: Iterable[Device]) -> list[Device]:
    """The device and all others of its IOMMU group."""
    members = set(device.status.iommu_group_members)
    return [device, *(n for n in neighbours if n.status.address in members and n.name != device.name)]


def sight_of(device: Device, neighbours: Iterable[Device]) -> Sight:
    """What the agent would see, as far as the objects tell."""
    address, members = device.status.address, set(device.status.iommu_group_members)
    others, functions = [], []
    for other in neighbours:
        seen = seen_of(other.status)
        if seen is None or other.name == device.name or other.status.node_name != device.status.node_name:
            continue
        if other.status.address in members:
            others.append(seen)
        if other.status.sriov and other.status.sriov.physical_function == address:
            functions.append(seen)
    everyone = [seen_of(device.status), *others, *functions]
    return Sight(
        address=PciAddress.parse(address) if address else PciAddress(0, 0, 0, 0),
        device=everyone[0],
        others=tuple(others),
        virtual_functions=tuple(functions),
        vfio_drivers=frozenset(seen.driver for seen in everyone if seen and seen.driver and seen.is_on_vfio),
    )


def seen_of(status: PCIDeviceStatus) -> PciDevice | None:
    """The device as a scan would have it; None when the object does not say enough."""
    try:
        address = PciAddress.parse(status.address)
        members = tuple(map(PciAddress.parse, status.iommu_group_members))
    except ValueError:
        return None
    return PciDevice(
        address=address,
        vendor=status.vendor_id,
        device=status.device_id,
        class_code=f"{status.class_id}00",
        driver=status.kernel_driver_in_use,
        iommu_group=status.iommu_group,
        iommu_group_members=members,
        is_bridge=status.bridge,
        boot_vga=status.boot_vga,
        sriov=_role(status),
    )


def _role(status: PCIDeviceStatus) -> SriovRole | None:
    match status.sriov:
        case None:
            return None
        case sriov if sriov.role == "PhysicalFunction":
            return PhysicalFunction(sriov.total_vfs or 0, sriov.num_vfs or 0)
        case sriov:
            return VirtualFunction(PciAddress.parse(sriov.physical_function)) if sriov.physical_function else None
