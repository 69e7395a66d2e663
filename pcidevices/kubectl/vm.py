"""
Print the lines that give devices to a KubeVirt virtual machine: below spec.template.spec.domain of a VirtualMachine.

  kubectl pci vm janus-00005e000            the device, and what is claimed of its IOMMU group
  kubectl pci vm janus-00005e000 --alone    the device without its group

The machine gets any device of that model; claim with --disable-resource-pooling to have exactly this one.
"""

from __future__ import annotations

import argparse
import re

from collections.abc import Sequence

from .objects import Device
from .resources import offered_as
from .together import Taken, add_bundle, print_lines
from .transport import Kubectl


_WHERE = "# below spec.template.spec.domain"
_DISPLAYS = "03"
"""How the classes begin of what KubeVirt calls a GPU: display controllers."""
_NAME_LIMIT = 40


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci vm`."""
    add_bundle(parser)


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Print it, and say on stderr what is missing before it works."""
    return print_lines(flags, kubectl, where=_WHERE, lines=lines)


def lines(wanted: Sequence[Device], taken: Taken) -> dict[str, object]:
    """What belongs below ``domain``: displays are gpus, all else is a hostDevice."""
    gpus: list[dict[str, str]] = []
    others: list[dict[str, str]] = []
    given = set[str]()
    for device in wanted:
        resource = offered_as(device, taken.get(device.place))
        entry = {"name": _name_for(_label(resource), given), "deviceName": resource}
        (gpus if device.status.class_id.startswith(_DISPLAYS) else others).append(entry)
    return {"devices": {key: entries for key, entries in (("gpus", gpus), ("hostDevices", others)) if entries}}


def _label(resource: str) -> str:
    """A DNS label from the product's name."""
    label = re.sub(r"[^a-z0-9]+", "-", resource.rpartition("/")[2].lower())
    return label.strip("-")[:_NAME_LIMIT].strip("-") or "device"


def _name_for(label: str, given: set[str]) -> str:
    """A device's name in the machine: the label, with a number where another device of it was *given* that name."""
    number, name = 1, label
    while name in given:
        number += 1
        name = f"{label}-{number}"
    given.add(name)
    return name
