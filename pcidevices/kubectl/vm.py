"""
Print the lines that give devices to a KubeVirt virtual machine: below spec.template.spec.domain of a VirtualMachine.

  kubectl pci vm janus-00005e000            the device, and what is claimed of its IOMMU group
  kubectl pci vm janus-00005e000 --alone    the device without its group

The machine gets any device of that model; claim with --disable-resource-pooling to have exactly this one.
"""

from __future__ import annotations

import argparse
import re
import sys

from collections.abc import Sequence

from .finding import add_choice, chosen
from .objects import Claim, Device, claims, in_order, owners
from .output import as_yaml
from .planning import Neighbourhood
from .progress import is_ready, why_not_ready
from .refusals import group_of, is_bridge
from .resources import offered_as
from .transport import Kubectl


_DISPLAYS = "03"
"""How the classes begin of what KubeVirt calls a GPU: display controllers."""
_NAME_LIMIT = 40

Taken = dict[tuple[str, str], Claim]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci vm`."""
    add_choice(parser, selector=False)
    parser.add_argument("--alone", action="store_true", help="without the others of its IOMMU group")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Print it, and say on stderr what is missing before it works."""
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
    print("# below spec.template.spec.domain")
    print(as_yaml(lines(list(wanted.values()), taken)), end="")
    return 0


def lines(wanted: Sequence[Device], taken: Taken) -> dict[str, object]:
    """What belongs below ``domain``: displays are gpus, all else is a hostDevice."""
    gpus: list[dict[str, str]] = []
    others: list[dict[str, str]] = []
    names = set[str]()
    for device in wanted:
        resource = offered_as(device, taken.get(device.place))
        entry = {"name": _free(_label(resource), names), "deviceName": resource}
        (gpus if device.status.class_id.startswith(_DISPLAYS) else others).append(entry)
    return {"devices": {key: entries for key, entries in (("gpus", gpus), ("hostDevices", others)) if entries}}


def _label(resource: str) -> str:
    """A DNS label from the product's name."""
    label = re.sub(r"[^a-z0-9]+", "-", resource.rpartition("/")[2].lower())
    return label.strip("-")[:_NAME_LIMIT].strip("-") or "device"


def _free(name: str, names: set[str]) -> str:
    number, free = 1, name
    while free in names:
        number += 1
        free = f"{name}-{number}"
    names.add(free)
    return free
