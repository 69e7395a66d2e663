"""What goes to one machine or pod: the devices that a person names, and what is claimed of their IOMMU groups."""

from __future__ import annotations

import argparse
import sys

from collections.abc import Callable, Sequence

from .finding import add_choice, chosen
from .objects import Claim, Device, claims, in_order, owners
from .output import as_yaml
from .planning import Neighbourhood
from .progress import is_ready, why_not_ready
from .refusals import group_of, is_bridge
from .transport import Kubectl


Taken = dict[tuple[str, str], Claim]


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The flags that say what goes together."""
    add_choice(parser, selector=False)
    parser.add_argument("--alone", action="store_true", help="without the others of its IOMMU group")


def print_lines(
    flags: argparse.Namespace, kubectl: Kubectl, *, where: str, lines: Callable[[Sequence[Device], Taken], object]
) -> int:
    """Print what *lines* makes of the devices as YAML, below a comment that says *where* it belongs."""
    wanted, taken = bundle(flags, kubectl)
    print(where)
    print(as_yaml(lines(wanted, taken)), end="")
    return 0


def bundle(flags: argparse.Namespace, kubectl: Kubectl) -> tuple[list[Device], Taken]:
    """The devices, and who has claimed which; what is missing before they can be used is said on stderr."""
    taken = owners(claims(kubectl))
    around = Neighbourhood(kubectl)
    wanted: dict[str, Device] = {}
    for device in chosen(flags, kubectl):
        group = [] if flags.alone else group_of(device, in_order(around(device)))
        for one in [device, *(other for other in group if other.place in taken and not is_bridge(other))]:
            wanted[one.name] = one
    for device in wanted.values():
        claim = taken.get(device.place)
        if claim is None:
            print(f"Warning: {device.name} is not claimed: kubectl claim {device.name} --group", file=sys.stderr)
        elif not is_ready(claim):
            print(f"Warning: {device.name} is not Ready: {why_not_ready(claim)}", file=sys.stderr)
    return list(wanted.values()), taken
