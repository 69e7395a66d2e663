"""
Show how many devices of each resource there are: claimed, ready for virtual machines, used by pods, free; and what the
kubelet counts (ALLOCATABLE; a dash where you may not read Nodes).

  kubectl pci top                 resources of which something is claimed
  kubectl pci top --all --node janus
"""

from __future__ import annotations

import argparse
import sys

import msgspec

from pcidevices.errors import KubectlFailed

from .objects import NODES, NODES_AT_ONCE, claims, devices, owners
from .output import print_table
from .resources import amounts, shown
from .screen import Screen
from .transport import Kubectl


_HEAD = ["NODE", "RESOURCE", "DEVICES", "CLAIMED", "READY", "USED", "FREE", "ALLOCATABLE"]
_FEW = 3


class _Name(msgspec.Struct):
    name: str


class _Allocatable(msgspec.Struct):
    allocatable: dict[str, str] = {}


class _Node(msgspec.Struct):
    metadata: _Name
    status: _Allocatable = msgspec.field(default_factory=_Allocatable)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci top`."""
    parser.add_argument("--node", default="", help="only this node")
    parser.add_argument("-l", "--selector", default="", help="only devices with these labels")
    parser.add_argument("--all", action="store_true", help="also resources of which nothing is claimed")
    parser.add_argument("--no-headers", action="store_true", help="lines alone")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Look once, and print."""
    taken = owners(claims(kubectl))
    found = amounts(devices(kubectl, node=flags.node, selector=flags.selector), taken)
    concerned = {node for (node, _), amount in found.items() if flags.all or amount.claimed or amount.used}
    lines = list(shown(found, _allocatable(kubectl, concerned), everything=flags.all))
    if not lines:
        print("Nothing is claimed; --all shows what could be", file=sys.stderr)
        return 0
    print_table([*([] if flags.no_headers else [_HEAD]), *lines], width=Screen.of(sys.stdout).width)
    return 0


def _allocatable(kubectl: Kubectl, nodes: set[str]) -> dict[tuple[str, str], str] | None:
    """What the kubelets count, by node and resource; None where a person may not read Nodes."""
    found: list[_Node] = []
    try:
        if len(nodes) <= _FEW:
            found = [kubectl.get(f"{NODES}/{node}", into=_Node) for node in sorted(nodes)]
        else:
            for items, _ in kubectl.pages(NODES, limit=NODES_AT_ONCE):
                found += [msgspec.json.decode(raw, type=_Node) for raw in items]
    except KubectlFailed as error:
        if error.word not in {"Forbidden", "NotFound"}:
            raise
        return None
    return {(node.metadata.name, name): count for node in found for name, count in node.status.allocatable.items()}
