"""Resource names, and how many of each there are. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .objects import Claim, Device
from .progress import is_ready


def offered_as(device: Device, claim: Claim | None) -> str:
    """The name under which the kubelet has it: its model's, or one of its own where the claim asks for that."""
    name = device.status.resource_name
    if claim is not None and claim.spec.disable_resource_pooling and name:
        return f"{name.partition('/')[0]}/{device.name}"
    return name


@dataclass(slots=True)
class Amount:
    """Devices of one resource on one node."""

    devices: int = 0
    claimed: int = 0
    ready: int = 0
    used: int = 0

    @property
    def free(self) -> int:
        """Ready, and nobody has it."""
        return max(0, self.ready - self.used)


def amounts(devices: Iterable[Device], taken: Mapping[tuple[str, str], Claim]) -> dict[tuple[str, str], Amount]:
    """Of each resource on each node, in order. Bridges count for nothing."""
    found: dict[tuple[str, str], Amount] = defaultdict(Amount)
    for device in devices:
        claim = taken.get(device.place)
        name = offered_as(device, claim)
        if not name or device.status.bridge:
            continue
        amount = found[device.status.node_name, name]
        amount.devices += 1
        amount.claimed += claim is not None
        amount.ready += claim is not None and is_ready(claim)
        amount.used += bool(device.status.in_use_by)
    return dict(sorted(found.items()))


def shown(
    found: Mapping[tuple[str, str], Amount], allocatable: Mapping[tuple[str, str], str] | None, *, everything: bool
) -> Iterator[list[str]]:
    """The lines of a table; resources of which nothing is claimed only where *everything* is wanted."""
    for (node, name), amount in found.items():
        if not (everything or amount.claimed or amount.used):
            continue
        figures = (amount.devices, amount.claimed, amount.ready, amount.used, amount.free)
        counted = "-" if allocatable is None else allocatable.get((node, name), "0")
        yield [node, name, *map(str, figures), counted]
