"""Which devices will be claimed, and which cannot be."""

from __future__ import annotations

import argparse
import sys

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pcidevices.api.reasons import Reason

from .finding import chosen
from .making import user_of
from .objects import Claim, Device, claims, devices, owners
from .progress import is_refused
from .refusals import Objection, group_of, is_bridge, not_viable, objection
from .transport import Kubectl


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


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be claimed."""

    named: tuple[Device, ...]
    """Those that a person named."""
    everyone: tuple[Device, ...]
    """Those, and what comes with them."""
    around: Neighbourhood
    taken: Mapping[tuple[str, str], Claim]
    user: str
    """Who asks; empty where the server does not tell."""

    def alone(self, made: Collection[str]) -> dict[str, Objection]:
        """Of the devices whose claims are made, those whose IOMMU group does not come along, and what of it stays."""
        claimed = [device for device in self.everyone if device.name in made]
        found = {}
        for device in claimed:
            coming = [*claimed, *(other for other in self.around(device) if _comes(self.taken.get(other.place)))]
            node = device.status.node_name
            why = not_viable(device, self.around(device), [one for one in coming if one.status.node_name == node])
            if why is not None:
                found[device.name] = why
        return found


def planned(flags: argparse.Namespace, kubectl: Kubectl) -> Plan | None:
    """
    The devices that the flags mean, or None when one of them cannot be claimed; why is said on stderr.

    Of devices chosen by labels alone, those that cannot be claimed are left out. One that is named with its group and
    who asks has claimed already is passed over, and the rest of its group is not; where the server does not tell who
    asks, nothing is theirs.
    """
    named = chosen(flags, kubectl)
    user = user_of(kubectl)
    taken = owners(claims(kubectl))
    around = Neighbourhood(kubectl)
    by_labels = not flags.device and not flags.address
    wanted: dict[str, Device] = {}
    passed_over: list[Device] = []
    for device in named:
        claim = taken.get(device.place)
        if flags.group and not by_labels and _is_of(claim, user):
            passed_over.append(device)
            continue
        why = objection(device, around(device), claim, allowed=flags.allow_protected) or _no_address(device)
        if why is None:
            wanted[device.name] = device
        else:
            print(f"{device.name}: left out: {why}" if by_labels else f"error: {device.name}: {why}", file=sys.stderr)
    if len(wanted) + len(passed_over) < len(named) and not by_labels:
        return None
    named_ones = tuple(wanted.values())
    if flags.group:
        for other, claim in _add_groups(wanted, passed_over, around, taken).items():
            print(f"{other}: claimed already by {claim.spec.user_name or 'somebody'}", file=sys.stderr)
    if not wanted:
        print("error: nothing is left to be claimed", file=sys.stderr)
        return None
    return Plan(named_ones, tuple(wanted.values()), around, taken, user)


def _add_groups(
    wanted: dict[str, Device],
    passed_over: Sequence[Device],
    around: Neighbourhood,
    taken: Mapping[tuple[str, str], Claim],
) -> dict[str, Claim]:
    """Add to *wanted* what shares an IOMMU group with it, but for bridges and, the answer, what is claimed already."""
    before: dict[str, Claim] = {}
    for device in [*wanted.values(), *passed_over]:
        for other in group_of(device, around(device)):
            if other.name in wanted or is_bridge(other):
                continue
            if claim := taken.get(other.place):
                before[other.name] = claim
            else:
                wanted[other.name] = other
    return before


def _is_of(claim: Claim | None, user: str) -> bool:
    return claim is not None and bool(user) and claim.spec.user_name == user


def _no_address(device: Device) -> Objection | None:
    if device.status.address:
        return None
    return Objection(Reason.NOT_PUBLISHED, "its object tells no address; see that the agent of its node runs")


def _comes(claim: Claim | None) -> bool:
    """Whether the claim's device leaves the host, as far as the agent has told."""
    return claim is not None and claim.metadata.deletion_timestamp is None and not is_refused(claim)
