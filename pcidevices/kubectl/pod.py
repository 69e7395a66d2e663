"""
Print the lines that give devices to a plain pod: they belong to a container, below spec.containers.

  kubectl pci pod janus-00005e000            the device, and what is claimed of its IOMMU group
  kubectl pci pod janus-00005e000 --alone    the device without its group

The container gets any device of that model; claim with --disable-resource-pooling to have exactly this one.
"""

from __future__ import annotations

import argparse

from collections import Counter
from collections.abc import Sequence

from .objects import Device
from .resources import offered_as
from .together import Taken, add_bundle, print_lines
from .transport import Kubectl


_WHERE = "# of a container, below spec.containers; it finds addresses in PCI_RESOURCE_*, IOMMU groups in /dev/vfio"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci pod`."""
    add_bundle(parser)


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Print it, and say on stderr what is missing before it works."""
    return print_lines(flags, kubectl, where=_WHERE, lines=lines)


def lines(wanted: Sequence[Device], taken: Taken) -> dict[str, object]:
    """What a container asks for: so many of each resource, and to lock the memory that VFIO lets them reach."""
    limits = Counter(offered_as(device, taken.get(device.place)) for device in wanted)
    return {
        "resources": {"limits": {resource: str(count) for resource, count in limits.items()}},
        "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
    }
