"""
Show a node's devices by NUMA node and IOMMU group: what goes to one virtual machine together, and what is in the way.

  kubectl pci tree janus
"""

from __future__ import annotations

import argparse
import sys

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pcidevices.domain.printable import plain
from pcidevices.domain.protection import blockers, listed
from pcidevices.errors import NotFound

from .branches import Branch, drawn
from .cells import state_of
from .objects import Claim, Device, claims, devices, in_order, owners
from .refusals import is_bridge, seen_of, sight_of
from .screen import Screen
from .transport import Kubectl


K = TypeVar("K", str | None, int | None)
Taken = dict[tuple[str, str], Claim]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci tree`."""
    parser.add_argument("node", metavar="NODE", help="the node's name")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Look once, and draw."""
    found = in_order(devices(kubectl, node=flags.node))
    if not found:
        raise NotFound(f"there are no PCIDevices of node {flags.node}; does the agent run there?")
    screen = Screen.of(sys.stdout)
    for line in drawn(tree(flags.node, found, owners(claims(kubectl)), screen), unicode=screen.unicode):
        print(screen.cut(line))
    return 0


def tree(node: str, found: Sequence[Device], taken: Taken, screen: Screen) -> Branch:
    """The node's devices, which are in order, as a tree."""
    numa = _grouped(found, lambda device: device.status.numa_node)
    places = sorted(numa, key=lambda number: (number is None, number))
    return Branch(
        node,
        tuple(
            Branch(
                "no NUMA node" if number is None else f"NUMA node {number}",
                tuple(_groups(numa[number], found, taken, screen)),
            )
            for number in places
        ),
    )


def _groups(here: Sequence[Device], everyone: Sequence[Device], taken: Taken, screen: Screen) -> Iterable[Branch]:
    for number, members in _grouped(here, lambda device: device.status.iommu_group).items():
        below = tuple(Branch(_leaf(device, taken, screen)) for device in members)
        if number is None:
            yield Branch(f"no IOMMU group {screen.mark(holds=False)} virtual machines cannot have these", below)
        else:
            yield Branch(f"IOMMU group {number}{_viability(members, everyone, taken, screen)}", below)


def _viability(members: Sequence[Device], everyone: Sequence[Device], taken: Taken, screen: Screen) -> str:
    """Whether virtual machines could have the group: said where somebody claims of it, or where it is of several."""
    ours = [device for device in members if not is_bridge(device)]
    if not any(device.place in taken for device in ours):
        return f" {screen.painted(f'({len(ours)} go together)', 'dim')}" if len(ours) > 1 else ""
    claimed = next(device for device in ours if device.place in taken)
    blocking = blockers(sight_of(claimed, everyone))
    here = seen_of(claimed.status)
    if here is not None and not here.is_on_vfio:
        blocking = (f"{claimed.status.address} is on {here.driver or 'no driver'}", *blocking)
    if blocking:
        return f" {screen.mark(holds=False)} not viable: {listed(blocking)}"
    return f" {screen.mark(holds=True)} viable"


def _leaf(device: Device, taken: Taken, screen: Screen) -> str:
    status, claim = device.status, taken.get(device.place)
    parts = [status.address, plain(status.description) or device.name]
    if is_bridge(device):
        return screen.painted("  ".join((*parts, "[bridge]")), "dim")
    parts.append(f"[{status.kernel_driver_in_use or 'no driver'}]")
    if claim is not None:
        state = state_of(claim)
        parts.append(screen.painted(f"claimed: {plain(state)}", "good" if state == "Ready" else "bad"))
    if status.in_use_by:
        parts.append(f"in use by {', '.join(map(plain, status.in_use_by))}")
    if status.sriov and status.sriov.physical_function:
        parts.append(screen.painted(f"virtual function of {status.sriov.physical_function}", "dim"))
    return "  ".join(parts)


def _grouped(found: Iterable[Device], key: Callable[[Device], K]) -> dict[K, list[Device]]:
    grouped: dict[K, list[Device]] = defaultdict(list)
    for device in found:
        grouped[key(device)].append(device)
    return grouped
