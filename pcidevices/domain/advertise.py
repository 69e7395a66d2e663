"""What is offered to the kubelet: a projection of what is seen and claimed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .address import PciAddress
from .claim import Claim
from .claims import READY, owner_of
from .conditions import Finding, condition
from .device import PciDevice
from .held import HeldDevice
from .offer import Offer, OfferedDevice
from .published import PublishedDevice
from .resourcename import refusals


_NOTHING: Mapping[PciAddress, str] = {}


@dataclass(frozen=True, slots=True)
class Advertised:
    """What the kubelet can be told of what is claimed."""

    offers: Mapping[str, Offer] = field(default_factory=dict)
    """By the resource's name."""
    refused: Mapping[PciAddress, Finding] = field(default_factory=dict)
    """Why a claimed device cannot be offered under its name."""


def advertised(
    devices: Mapping[PciAddress, PciDevice],
    claims: Iterable[Claim],
    published: Mapping[str, PublishedDevice],
    held: Iterable[HeldDevice],
    *,
    node_name: str,
    offered_as: Mapping[PciAddress, str] = _NOTHING,
) -> Advertised:
    """
    One offer for each resource name of which a device is claimed, or still held by a pod; it has all of those.

    A device that a pod holds stays in the offer of its resource, unhealthy if need be: the kubelet would take one that
    is not listed any more for free. Of names that exclude each other the one that was claimed first is offered.
    *offered_as* says how they are offered so far: so they stay while somebody has deleted their object.
    """
    offered: dict[str, dict[PciAddress, OfferedDevice]] = defaultdict(dict)
    claimed_as: dict[PciAddress, str] = {}
    since: dict[str, str] = {}
    for address, rivals in _by_address(claims).items():
        told = published.get(address.object_name(node_name))
        owner = owner_of(rivals)
        if name := resource_of(told, owner) if told is not None and _is_named(told) else offered_as.get(address):
            offered[name][address] = _offered(address, devices, why_not(devices, address, owner))
            claimed_as[address] = name
            since[name] = min(since.get(name, owner.created), owner.created)
    for one in held:
        for address in _addresses(one.ids):
            told = published.get(address.object_name(node_name))
            names = _own_names(told) if told is not None and _is_named(told) else (offered_as.get(address),)
            if one.resource_name in offered or one.resource_name in names:
                why = "it is held by a pod, and not claimed any more"
                offered[one.resource_name].setdefault(address, _offered(address, devices, why))
    refused = refusals(sorted(offered, key=lambda name: (name not in since, since.get(name, ""), name)))
    return Advertised(
        {
            name: Offer(name, tuple(ones[address] for address in sorted(ones)))
            for name, ones in sorted(offered.items())
            if name not in refused
        },
        {address: refused[name] for address, name in claimed_as.items() if name in refused},
    )


def resource_of(device: PublishedDevice, claim: Claim) -> str:
    """The name under which the device is offered: its model's, or one of its own where the claim asks for that."""
    pooled, single = _own_names(device)
    return single if claim.disable_resource_pooling else pooled


def _is_named(device: PublishedDevice) -> bool:
    """Its status may come after it."""
    return bool(device.status.resource_name)


def _own_names(device: PublishedDevice) -> tuple[str, str]:
    """With all of its model, and for itself. Under any other name another program's plugin offers it."""
    name = device.status.resource_name
    return name, f"{name.partition('/')[0]}/{device.name}"


def why_not(devices: Mapping[PciAddress, PciDevice], address: PciAddress, claim: Claim) -> str | None:
    """Why no pod can have the device now, for a person; None when it can."""
    device = devices.get(address)
    if device is None:
        return f"{address} is not on the node"
    if claim.deleting:
        return f"its claim {claim.name} is being deleted"
    if not device.is_on_vfio:
        return f"{address} is on {device.driver or 'no driver'}"
    others = (devices.get(member) for member in device.iommu_group_members if member != address)
    blocking = next((other for other in others if other is not None and _blocks(other)), None)
    if blocking is not None:
        return f"{blocking.address} of the same IOMMU group is on {blocking.driver}"
    ready = condition(claim.status.conditions, READY)
    return None if ready.status == "True" else ready.message or f"its claim {claim.name} is not Ready"


def _offered(address: PciAddress, devices: Mapping[PciAddress, PciDevice], why: str | None) -> OfferedDevice:
    device = devices.get(address)
    return OfferedDevice(
        address=address,
        unhealthy=why,
        numa_node=device.numa_node if device else None,
        iommu_group=device.iommu_group if device else None,
        vfio_device=device.vfio_device if device else None,
    )


def _blocks(other: PciDevice) -> bool:
    return not (other.driver in {None, "pcieport", "pci-stub"} or other.is_on_vfio or other.is_bridge)


def _by_address(claims: Iterable[Claim]) -> dict[PciAddress, list[Claim]]:
    grouped: dict[PciAddress, list[Claim]] = defaultdict(list)
    for claim in claims:
        grouped[claim.address].append(claim)
    return grouped


def _addresses(ids: Iterable[str]) -> Iterable[PciAddress]:
    for text in ids:
        try:
            yield PciAddress.parse(text)
        except ValueError:
            continue  # another program's plugin
