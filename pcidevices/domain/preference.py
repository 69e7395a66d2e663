"""
Which devices go together best: an answer to the kubelet's GetPreferredAllocation.

Two virtual machines cannot share an IOMMU group, and the functions of one card want to stay together. So those
that share a group come first, then those of one slot, then those near one NUMA node. Among equals, a group that
is wholly free goes before one that somebody has a part of, and the smallest that suffices before larger ones, which
stay whole for whoever needs them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from .address import PciAddress
from .offer import Offer, OfferedDevice


@dataclass(frozen=True, slots=True)
class _Places:
    """Where some devices are, and how many at each place."""

    groups: Counter[Hashable]
    slots: Counter[Hashable]
    numa_nodes: Counter[int]

    @classmethod
    def of(cls, devices: Iterable[OfferedDevice]) -> _Places:
        devices = list(devices)
        return cls(
            Counter(map(_group, devices)),
            Counter(map(_slot, devices)),
            Counter(device.numa_node for device in devices if device.numa_node is not None),
        )

    def far(self, device: OfferedDevice) -> tuple[bool, bool]:
        """Whether nothing is in the device's slot, and whether nothing is at its NUMA node; the nearest sorts first."""
        return _slot(device) not in self.slots, device.numa_node not in self.numa_nodes

    def fit(self, device: OfferedDevice, need: int) -> tuple[tuple[bool, int], tuple[bool, int]]:
        """How well the slot and the NUMA node of the device serve *need*; the best sorts first."""
        numa_node = 0 if device.numa_node is None else self.numa_nodes[device.numa_node]
        return _fit(self.slots[_slot(device)], need), _fit(numa_node, need)


def prefer(offer: Offer, available: Iterable[str], must_include: Iterable[str], size: int) -> tuple[str, ...]:
    """
    Choose *size* of the *available* ids, sorted, with all of *must_include* among them.

    What makes no sense is answered as far as possible and never fails: fewer when there are fewer, more when
    more must be included; ids that are not in the offer come last.
    """
    chosen = set(must_include)
    pool = set(available) - chosen
    need = size - len(chosen)
    if need <= 0:
        return tuple(sorted(chosen))
    if need >= len(pool):
        return tuple(sorted(chosen | pool))
    by_id = {str(device.address): device for device in offer.devices}
    ours = pool | chosen
    order = _order(
        [by_id[id_] for id_ in pool if id_ in by_id],
        near=[by_id[id_] for id_ in chosen if id_ in by_id],
        parted={_group(device) for id_, device in by_id.items() if id_ not in ours},
        need=need,
    )
    strangers = sorted(pool - by_id.keys())
    taken = [*(str(device.address) for device in order), *strangers][:need]
    return tuple(sorted(chosen.union(taken)))


def _order(
    pool: list[OfferedDevice], *, near: list[OfferedDevice], parted: set[Hashable], need: int
) -> list[OfferedDevice]:
    """The pool, the best first: near to *near*, and not in groups that somebody else has a part of."""
    have = _Places.of(pool)
    groups: dict[Hashable, list[OfferedDevice]] = defaultdict(list)
    for device in sorted(pool, key=lambda device: device.address):
        groups[_group(device)].append(device)

    def merit(group: Hashable) -> tuple[bool, tuple[bool, int], object, PciAddress]:
        members = groups[group]
        best = min(have.fit(device, need) for device in members)
        return group in parted, _fit(len(members), need), best, members[0].address

    by_merit = sorted(groups, key=merit)
    places = _Places.of(near or [device for group in by_merit[:1] for device in groups[group]])

    def distance(group: Hashable) -> tuple[bool, bool, tuple[bool, bool]]:
        return group not in places.groups, group in parted, min(map(places.far, groups[group]))

    return [
        device
        for group in sorted(by_merit, key=distance)
        for device in sorted(groups[group], key=lambda device: (places.far(device), have.fit(device, need)))
    ]


def _fit(count: int, need: int) -> tuple[bool, int]:
    """Sorts the smallest that suffices first, then the largest of those that do not."""
    return (count < need, count if count >= need else -count)


def _group(device: OfferedDevice) -> Hashable:
    return device.address if device.iommu_group is None else device.iommu_group


def _slot(device: OfferedDevice) -> Hashable:
    return device.address.domain, device.address.bus, device.address.slot
