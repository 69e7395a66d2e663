"""The devices of a node that share a resource: how many are given away, and whether the Node has them all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pcidevices.api.reasons import Reason
from pcidevices.domain.advertise import resource_of
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import READY, owner_of
from pcidevices.domain.conditions import condition
from pcidevices.domain.published import PublishedDevice

from .facts import NodeSeen
from .link import Link, broken


_Owned = tuple[PublishedDevice, Claim]
"""A device, and the claim that has it."""


def taken_beside(asked: PublishedDevice, devices: Iterable[PublishedDevice], claims: Iterable[Claim]) -> int:
    """How many others of the node somebody has, of those that are offered under the name of the one asked about."""
    owned = list(_owned(devices, claims))
    names = {resource_of(device, claim) for device, claim in owned if device.name == asked.name}
    others = (one for one in owned if one[0].name != asked.name and one[0].status.in_use_by)
    return sum(resource_of(device, claim) in names for device, claim in others)


def missing(
    node_name: str, seen: NodeSeen, devices: Iterable[PublishedDevice], claims: Iterable[Claim]
) -> Iterator[Link]:
    """Each resource of which the Node has fewer to give away than claims of it are Ready."""
    ready: dict[str, list[str]] = defaultdict(list)
    for device, claim in _owned(devices, claims):
        if condition(claim.status.conditions, READY).status == "True" and not claim.deleting:
            ready[resource_of(device, claim)].append(device.name)
    for resource, names in sorted(ready.items()):
        allocatable = seen.allocatable.get(resource, 0)
        if not resource or allocatable >= len(names):
            continue
        fact = f"Node {node_name} has {allocatable} allocatable of {resource}, and {len(names)} claimed ones are Ready"
        first, *others = sorted(names)
        then = f"kubectl pci doctor {first}"
        if allocatable and others:
            then += f"; if that is well, the same for {', '.join(others)}"
        command = f"kubectl get node {node_name} -o jsonpath='{{.status.allocatable}}'"
        yield broken("node", Reason.NOT_COUNTED, fact, command=command, then=then)


def _owned(devices: Iterable[PublishedDevice], claims: Iterable[Claim]) -> Iterator[_Owned]:
    """Claims tell node and address; so do devices, whatever the two are called."""
    rivals: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        rivals[claim.node_name, str(claim.address)].append(claim)
    for device in devices:
        if found := rivals.get((device.status.node_name, device.status.address)):
            yield device, owner_of(found)
