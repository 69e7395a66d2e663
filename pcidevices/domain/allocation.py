"""What a container gets of an offer: exactly what it asks for, or a refusal that its owner can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from .offer import Offer, OfferedDevice
from .resourcename import env_name


VFIO = "/dev/vfio"
CONTAINER_NODE = f"{VFIO}/vfio"
"""Needed beside every group's node: without it KubeVirt does not hand the group's node over."""

_WIDEST_DOMAIN = 0xFFFF
_SHOWN = 63  # as long as an id may be


class RefusalKind(Enum):
    """What is wrong: the request, its object, or the moment."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    NOT_READY = "not ready"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is given. The kubelet puts the message into the pod's status, for the pod's owner."""

    kind: RefusalKind
    message: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one container gets."""

    addresses: tuple[str, ...] = ()
    """Each allocated device once, in order; never its neighbours: they would take the place of the next device."""
    envs: tuple[tuple[str, str], ...] = ()
    nodes: tuple[str, ...] = ()
    """Device nodes, in the container under the same path, to be read, written and made (``mrw``)."""


def allocate(offer: Offer, ids: Iterable[str]) -> Allocation | Refusal:
    """Answer one container's request for the devices with these *ids* (addresses), in any order."""
    wanted = Counter(ids)
    found = {id_: offer.device(id_) for id_ in wanted}
    for id_, times in sorted(wanted.items()):
        refusal = _refusal(offer, id_, times, found[id_])
        if refusal is not None:
            return refusal
    chosen = sorted((device for device in found.values() if device is not None), key=lambda device: device.address)
    if not chosen:
        return Allocation()
    addresses = tuple(str(device.address) for device in chosen)
    # Siblings of a group share its node.
    groups = dict.fromkeys(f"{VFIO}/{device.iommu_group}" for device in chosen)
    own = [f"{VFIO}/devices/{device.vfio_device}" for device in chosen if device.vfio_device is not None]
    return Allocation(
        addresses=addresses,
        envs=((env_name(offer.resource_name), ",".join(addresses)),),
        nodes=(CONTAINER_NODE, *groups, *own),
    )


def _refusal(offer: Offer, id_: str, times: int, device: OfferedDevice | None) -> Refusal | None:
    if times > 1:
        return Refusal(RefusalKind.MALFORMED, f"{_shown(id_)} is asked for {times} times; a device can be had once")
    if device is None:
        return Refusal(RefusalKind.UNKNOWN, f"{_shown(id_)} is no device of {offer.resource_name} on this node")
    if device.unhealthy is not None:
        return Refusal(RefusalKind.NOT_READY, f"{id_} cannot be used: {device.unhealthy}")
    if device.address.domain > _WIDEST_DOMAIN:
        return Refusal(
            RefusalKind.NOT_READY,
            f"{id_} cannot be used: its PCI domain has more than four digits, which KubeVirt does not understand",
        )
    if device.iommu_group is None:
        return Refusal(RefusalKind.NOT_READY, f"{id_} cannot be used: it has no IOMMU group")
    return None


def _shown(id_: str) -> str:
    return repr(id_ if len(id_) <= _SHOWN else f"{id_[:_SHOWN]}…")
