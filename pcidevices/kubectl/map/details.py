"""All that is told of one device, line by line."""

from __future__ import annotations

from collections.abc import Iterator

from pcidevices.api.v1beta1 import PCIDeviceStatus
from pcidevices.domain.conditions import condition
from pcidevices.kubectl.objects import Claim, Device
from pcidevices.kubectl.wording import ids_of, sriov_of

from .state import State
from .values import Row


_TOLD_ELSEWHERE = frozenset({"Present", "Ready", "Allowed", "Bound", "GroupViable"})


def details(device: Device, claim: Claim | None, state: State, why_needed: str) -> tuple[Row, ...]:
    """Label and text of each line; what matters in the device's state comes first, what is not known is left out."""
    return tuple((label, text) for label, text in _rows(device, claim, state, why_needed) if text)


def _rows(device: Device, claim: Claim | None, state: State, why_needed: str) -> Iterator[Row]:
    status = device.status
    yield "State", state.label
    if state is State.NEEDED:
        yield "Why", why_needed
    if state is State.GONE:
        yield "Why", next((f"{c.reason}: {c.message}" for c in status.conditions if c.type == "Present"), "")
    yield "In use by", ", ".join(status.in_use_by)
    if claim is not None:
        yield "Claim", f"{claim.name} (being deleted)" if claim.metadata.deletion_timestamp else claim.name
        yield "Claimed by", claim.spec.user_name
        ready = condition(claim.status.conditions, "Ready")
        if ready.status != "True":
            yield "Not Ready", ": ".join(filter(None, (ready.reason, ready.message))) or "no agent has looked at it yet"
    for found in (*status.conditions, *(claim.status.conditions if claim else ())):
        if found.status == "False" and found.type not in _TOLD_ELSEWHERE:
            yield f"Not {found.type}", f"{found.reason}: {found.message}"
    yield "Description", status.description
    yield "Object", device.name
    yield "Address", status.address
    yield "Node", status.node_name
    if status.vendor_id:
        yield "Driver", status.kernel_driver_in_use or "none"
        yield "Original driver", claim.status.kernel_driver_to_unbind if claim else ""
        yield "IOMMU group", _group(status)
        yield "IDs", ids_of(status)
    yield "NUMA node", "" if status.numa_node is None else str(status.numa_node)
    yield "Resource", status.resource_name
    yield "SR-IOV", sriov_of(status)
    yield "Interfaces", ", ".join(status.network_interfaces)
    yield "Disks", ", ".join(status.block_devices)
    yield "Serial number", status.serial_number or ""


def _group(status: PCIDeviceStatus) -> str:
    if status.iommu_group is None:
        return "none"
    others = [member for member in status.iommu_group_members if member != status.address]
    return f"{status.iommu_group}, with {', '.join(others)}" if others else status.iommu_group
