"""Decide what must be written so that a device's PCIDevice says what is seen. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from pcidevices.api.v1beta1 import Condition, PCIDeviceStatus, Sriov
from pcidevices.errors import DeviceNotFound, DeviceUnreadable

from .conditions import Finding, with_findings
from .device import PciDevice, PhysicalFunction, Unreadable, VirtualFunction
from .legible import legible
from .naming import description, resource_name
from .published import Node, Owner, PublishedDevice, labels_of


PRESENT, ADVERTISED = "Present", "Advertised"


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing to write."""


@dataclass(frozen=True, slots=True)
class Create:
    """There is no object for the device."""

    labels: Mapping[str, str]
    owners: tuple[Owner, ...]
    status: PCIDeviceStatus


@dataclass(frozen=True, slots=True)
class Amend:
    """The object differs; None is what does not."""

    labels: Mapping[str, str] | None
    owners: tuple[Owner, ...] | None
    status: PCIDeviceStatus | None


@dataclass(frozen=True, slots=True)
class Remove:
    """The device is gone and nobody claims it."""


Decision = Leave | Create | Amend | Remove


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say of what is done."""

    simulated: bool = False
    """The devices are not real: their objects say so, and no real device's object is touched."""
    bridges: bool = False
    """PCI-to-PCI bridges get objects too."""
    node_grace: float = 300.0
    """Seconds for which a Node must be gone before the agent of another one ends its claims."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose devices these are."""

    node_name: str
    node: Node | None = None
    """None until the API server has a Node of that name."""
    node_is_gone: bool = False
    """There was a Node, and somebody deleted it: what it owned is collected, and must stay so."""


def decide(  # noqa: PLR0913  all that is compared
    seen: PciDevice | Unreadable | None,
    published: PublishedDevice | None,
    *,
    place: Place,
    policy: Policy,
    claimed: bool,
    kept_name: str | None,
    in_use_by: tuple[str, ...] = (),
    refused: Finding | None = None,
    now: str,
) -> Decision:
    """
    Compare what is *seen* of a device with what is *published*, and say what must be written.

    *kept_name* is the resource name that the device's model already has on this node, if any; *in_use_by* are the
    pods that hold the device; *refused* is why it cannot be offered under its name, although it is claimed;
    *now* (RFC 3339) becomes the transition time of conditions that change.
    """
    if published is not None and (published.deleting or (policy.simulated and not published.is_simulated)):
        return Leave()  # on its way out; or a real node's, which no simulation may touch
    if published is not None and published.is_simulated and not policy.simulated:
        return Remove()  # left over from a rehearsal; what is real is published anew
    told = _tell(seen, published, place=place, policy=policy, claimed=claimed, kept_name=kept_name)
    if not isinstance(told, _Told):
        return told
    # The answer to a look is another's to write.
    answer = published.status.look if published is not None else None
    found = ((PRESENT, told.present), *(((ADVERTISED, refused),) if refused else ()))
    conditions = with_findings(_lasting(published, refused), found, now=now)
    status = msgspec.structs.replace(told.status, in_use_by=in_use_by, look=answer, conditions=conditions)
    labels = labels_of(seen, place.node_name, simulated=policy.simulated) if isinstance(seen, PciDevice) else {}
    if published is None:
        return Leave() if place.node_is_gone else Create(labels, _owners((), place), status)
    owners = _owners(published.owners, place)
    amended = Amend(
        labels=labels if labels.items() - published.labels.items() else None,
        owners=owners if owners != published.owners else None,
        status=status if status != published.status or published.misshapen_status else None,
    )
    return amended if amended != Amend(None, None, None) else Leave()


@dataclass(frozen=True, slots=True)
class _Told:
    """What the object shall say."""

    status: PCIDeviceStatus
    present: Finding


def _lasting(published: PublishedDevice | None, refused: Finding | None) -> tuple[Condition, ...]:
    """The conditions as they stand, those of others among them; that it is advertised goes without saying."""
    told = published.status.conditions if published else ()
    return told if refused else tuple(condition for condition in told if condition.type != ADVERTISED)


def _tell(
    seen: PciDevice | Unreadable | None,
    published: PublishedDevice | None,
    *,
    place: Place,
    policy: Policy,
    claimed: bool,
    kept_name: str | None,
) -> _Told | Leave | Remove:
    """What there is to tell of the device; of one that is not seen, the last that was."""
    if isinstance(seen, PciDevice) and (seen.is_published(bridges=policy.bridges) or (claimed and published)):
        status = status_of(seen, place.node_name, kept_name=kept_name)
        return _Told(status, Finding("True", "Seen", "the device was there at the last look"))
    if published is None:
        return Leave()
    if isinstance(seen, Unreadable):
        return _Told(published.status, Finding("Unknown", DeviceUnreadable.reason, seen.problem))
    if not claimed:
        return Remove()
    name = published.status.address or published.name
    message = f"{name} is not on the node any more, but it is claimed; put it back or delete the claim"
    return _Told(published.status, Finding("False", DeviceNotFound.reason, message))


def status_of(device: PciDevice, node_name: str, *, kept_name: str | None = None) -> PCIDeviceStatus:
    """What is told of a device; its conditions are left to `decide`."""
    names = device.names
    return PCIDeviceStatus(
        address=str(device.address),
        vendor_id=device.vendor,
        device_id=device.device,
        class_id=device.class_id,
        iommu_group=device.iommu_group,
        node_name=node_name,
        resource_name=kept_name or resource_name(names.vendor, names.device, device.device),
        description=description(names, vendor_id=device.vendor, device_id=device.device, class_id=device.class_id),
        kernel_driver_in_use=device.driver,
        subsystem=device.subsystem,
        revision=device.revision,
        numa_node=device.numa_node,
        iommu_group_members=tuple(map(str, device.iommu_group_members)),
        sriov=_sriov(device),
        bridge=device.is_bridge,
        boot_vga=device.boot_vga,
        serial_number=device.serial,
        network_interfaces=tuple(map(legible, device.network_interfaces)),
        block_devices=tuple(map(legible, device.block_devices)),
    )


def name_to_keep(device: PciDevice, own: PublishedDevice | None, others: Iterable[PublishedDevice]) -> str | None:
    """
    The resource name that the device's model was given when it was first seen on this node.

    A newer pci.ids must not rename what virtual machines ask for, and equal cards share one pool:
    so a card that is added later takes the name of its equals.
    """

    def given(published: PublishedDevice) -> bool:
        status = published.status
        # The ancestor gave a device that is not pooled a name of its own here; that is not its model's.
        of_its_own = status.resource_name.endswith(f"/{published.name}")
        return (status.vendor_id, status.device_id) == device.model and bool(status.resource_name) and not of_its_own

    if own is not None and given(own):
        return own.status.resource_name
    return min((other.status.resource_name for other in others if given(other)), default=None)


def _sriov(device: PciDevice) -> Sriov | None:
    match device.sriov:
        case PhysicalFunction(total_vfs, num_vfs):
            return Sriov(role="PhysicalFunction", total_vfs=total_vfs, num_vfs=num_vfs)
        case VirtualFunction(physical_function):
            return Sriov(role="VirtualFunction", physical_function=str(physical_function))
        case None:
            return None


def _owners(present: tuple[Owner, ...], place: Place) -> tuple[Owner, ...]:
    """Ours is the Node of today: one of an earlier life of the node would have us collected as garbage."""
    if place.node is None:
        return present
    mine = place.node.as_owner
    if mine in present:
        return present
    return (*(owner for owner in present if (owner.kind, owner.name) != ("Node", mine.name)), mine)
