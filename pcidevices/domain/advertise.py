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


_Seen = tuple[Claim, PciDevice | None, tuple[PciDevice | None, ...], tuple[HeldDevice, ...]]
"""The claim that has a device, the device, all of its IOMMU group, and the pods that have it under another name."""


@dataclass(frozen=True, slots=True)
class Advertised:
    """What the kubelet can be told of what is claimed."""

    offers: Mapping[str, Offer] = field(default_factory=dict)
    """By the resource's name."""
    refused: Mapping[PciAddress, Finding] = field(default_factory=dict)
    """Why a claimed device cannot be offered under its name."""
    names: Mapping[PciAddress, str] = field(default_factory=dict, compare=False)
    """Under which name each device is offered: that of its claim, if it has one."""
    worked_out: Mapping[PciAddress, tuple[_Seen, OfferedDevice]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """What became of what was seen."""


_NOTHING = Advertised()


def advertised(
    devices: Mapping[PciAddress, PciDevice],
    claims: Iterable[Claim],
    published: Mapping[str, PublishedDevice],
    held: Iterable[HeldDevice],
    *,
    node_name: str,
    before: Advertised = _NOTHING,
) -> Advertised:
    """
    One offer for each resource name of which a device is claimed, or still held by a pod; it has all of those.

    A device that a pod holds stays in the offer of its resource, unhealthy if need be: the kubelet would take one that
    is not listed any more for free. Of names that exclude each other the one that was claimed first is offered.
    *before* is what this said last: a device keeps its name while somebody has deleted its object, and what was
    worked out of the same as is seen now is not worked out again.
    """
    offered: dict[str, dict[PciAddress, OfferedDevice]] = defaultdict(dict)
    worked_out: dict[PciAddress, tuple[_Seen, OfferedDevice]] = {}
    held_at = _held_at(held)
    claimed_as: dict[PciAddress, str] = {}
    since: dict[str, str] = {}
    for address, rivals in _by_address(claims).items():
        told = published.get(address.object_name(node_name))
        owner = owner_of(rivals)
        if name := resource_of(told, owner) if told is not None and _is_named(told) else before.names.get(address):
            elsewhere = tuple(one for one in held_at.get(address, ()) if one.resource_name != name)
            seen, known = _seen(address, devices, owner, elsewhere), before.worked_out.get(address)
            if known is None or known[0] != seen:
                why = _held_elsewhere(elsewhere) or why_not(devices, address, owner)
                known = seen, _offered(address, seen[1], why)
            worked_out[address] = known
            offered[name][address] = known[1]
            claimed_as[address] = name
            since[name] = min(since.get(name, owner.created), owner.created)
    names = dict(claimed_as)
    for address, holders in held_at.items():
        told = published.get(address.object_name(node_name))
        own = _own_names(told) if told is not None and _is_named(told) else (before.names.get(address),)
        for name in (one.resource_name for one in holders):
            if (name in offered or name in own) and address not in offered[name]:
                why = "it is held by a pod, and not claimed any more"
                offered[name][address] = _offered(address, devices.get(address), why)
                names.setdefault(address, name)
    refused = refusals(sorted(offered, key=lambda name: (name not in since, since.get(name, ""), name)))
    return Advertised(
        {
            name: Offer(name, tuple(ones[address] for address in sorted(ones)))
            for name, ones in sorted(offered.items())
            if name not in refused
        },
        {address: refused[name] for address, name in claimed_as.items() if name in refused},
        {address: name for address, name in names.items() if name not in refused},
        worked_out,
    )


def resource_of(device: PublishedDevice, claim: Claim) -> str:
    """The name under which the device is offered: its model's, or one of its own where the claim asks for that."""
    return _single_name(device) if claim.disable_resource_pooling else device.status.resource_name


def _is_named(device: PublishedDevice) -> bool:
    """Its status may come after it."""
    return bool(device.status.resource_name)


def _single_name(device: PublishedDevice) -> str:
    return f"{device.status.resource_name.partition('/')[0]}/{device.name}"


def _own_names(device: PublishedDevice) -> tuple[str, str]:
    """With all of its model, and for itself. Under any other name another program's plugin offers it."""
    return device.status.resource_name, _single_name(device)


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


def _seen(
    address: PciAddress, devices: Mapping[PciAddress, PciDevice], owner: Claim, elsewhere: tuple[HeldDevice, ...]
) -> _Seen:
    device = devices.get(address)
    return owner, device, tuple(map(devices.get, device.iommu_group_members)) if device else (), elsewhere


def _held_elsewhere(holders: Iterable[HeldDevice]) -> str | None:
    """The kubelet counts each resource for itself, and would give the device away a second time."""
    for one in holders:
        return f"{one.holder} has it as {one.resource_name}"
    return None


def _offered(address: PciAddress, device: PciDevice | None, why: str | None) -> OfferedDevice:
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


def _held_at(held: Iterable[HeldDevice]) -> dict[PciAddress, list[HeldDevice]]:
    grouped: dict[PciAddress, list[HeldDevice]] = defaultdict(list)
    for one in held:
        for address in _addresses(one.ids):
            grouped[address].append(one)
    return grouped


def _addresses(ids: Iterable[str]) -> Iterable[PciAddress]:
    for text in ids:
        try:
            yield PciAddress.parse(text)
        except ValueError:
            continue  # another program's plugin
