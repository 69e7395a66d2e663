"""Which devices will be claimed, and which cannot be."""

from __future__ import annotations

import argparse
import sys

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .finding import chosen
from .objects import Claim, Device, claims, devices, owners
from .refusals import Objection, group_of, is_bridge, not_viable, objection
from .transport import Kubectl


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be claimed."""

    named: tuple[Device, ...]
    """Those that a person named."""
    everyone: tuple[Device, ...]
    """Those, and what comes with them."""
    alone: Mapping[str, Objection]
    """Names of those whose IOMMU group does not come with them, and what of it stays on the host."""


class Neighbourhood:
    """The devices around one, asked for once per node and only where one of them can matter."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._known: dict[str, list[Device]] = {}

    def __call__(self, device: Device) -> list[Device]:
        status = device.status
        has_functions = status.sriov is not None and bool(status.sriov.num_vfs)
        if len(status.iommu_group_members) <= 1 and not has_functions:
            return []
        node = status.node_name
        if node not in self._known:
            self._known[node] = list(devices(self._kubectl, node=node))
        return self._known[node]


def planned(flags: argparse.Namespace, kubectl: Kubectl) -> Plan | None:
    """
    The devices that the flags mean, or None when one of them cannot be claimed; why is said on stderr.

    Of devices chosen by labels alone, those that cannot be claimed are left out.
    """
    named = chosen(flags, kubectl)
    taken = owners(claims(kubectl))
    around = Neighbourhood(kubectl)
    by_labels = not flags.device and not flags.address
    wanted: dict[str, Device] = {}
    for device in named:
        why = objection(device, around(device), taken.get(device.place), allowed=flags.allow_protected)
        if why is None:
            wanted[device.name] = device
        else:
            print(f"{device.name}: left out: {why}" if by_labels else f"error: {device.name}: {why}", file=sys.stderr)
    if len(wanted) < len(named) and not by_labels:
        return None
    if not wanted:
        print("error: nothing is left to be claimed", file=sys.stderr)
        return None
    named_ones = tuple(wanted.values())
    if flags.group:
        _add_groups(wanted, around, taken)
    everyone = tuple(wanted.values())
    coming = [*everyone, *(device for device in named if device.place in taken)]
    pairs = ((device, not_viable(device, around(device), _same_node(coming, device))) for device in everyone)
    return Plan(named_ones, everyone, {device.name: why for device, why in pairs if why})


def _add_groups(wanted: dict[str, Device], around: Neighbourhood, taken: dict[tuple[str, str], Claim]) -> None:
    """Add what shares an IOMMU group with what is wanted, but for bridges and what is claimed already."""
    for device in [*wanted.values()]:
        for other in group_of(device, around(device)):
            if other.name in wanted or is_bridge(other):
                continue
            if claim := taken.get(other.place):
                print(f"{other.name}: claimed already by {claim.spec.user_name or 'somebody'}", file=sys.stderr)
            else:
                wanted[other.name] = other


def _same_node(everyone: Sequence[Device], device: Device) -> list[Device]:
    return [other for other in everyone if other.status.node_name == device.status.node_name]
