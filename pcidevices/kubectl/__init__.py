"""
The plug-ins for kubectl: `kubectl claim`, `kubectl unclaim` and `kubectl pci COMMAND`.

They speak to the cluster through the kubectl that called them (see `transport`). Each sub-command is a
module of its own with ``add_flags(parser)`` and ``run(flags, kubectl) -> int``, imported only when it is
called. Exit status, as kubectl's: 0 it worked, 1 it did not or was asked for in a way that cannot work.
"""

from __future__ import annotations

import sys

from collections.abc import Sequence


COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("pcidevices.kubectl.listing", "show devices in a table: where, what, on which driver, whose"),
    "tree": ("pcidevices.kubectl.tree", "show a node's devices by NUMA node and IOMMU group"),
    "describe": ("pcidevices.kubectl.describe", "show all that is known of a device and its claim"),
    "top": ("pcidevices.kubectl.top", "show how many of each resource are claimed, ready, used and free"),
    "vm": ("pcidevices.kubectl.vm", "print the lines that give a device to a KubeVirt virtual machine"),
    "pod": ("pcidevices.kubectl.pod", "print the lines that give a device to a plain pod"),
    "map": ("pcidevices.kubectl.map", "draw all nodes and devices on one page"),
    "doctor": ("pcidevices.kubectl.doctor", "find out why a device cannot be used, and what to do"),
}
"""The commands of `kubectl pci`: the module of each, and what it is for."""


def run_claim(argv: Sequence[str] | None = None) -> int:
    """`kubectl claim`."""
    from .commandline import run_one  # noqa: PLC0415  completion must not wait for it

    return run_one("claim", "pcidevices.kubectl.claim", given(argv))


def run_unclaim(argv: Sequence[str] | None = None) -> int:
    """`kubectl unclaim`."""
    from .commandline import run_one  # noqa: PLC0415

    return run_one("unclaim", "pcidevices.kubectl.unclaim", given(argv))


def run_pci(argv: Sequence[str] | None = None) -> int:
    """`kubectl pci COMMAND`."""
    from .commandline import run_group  # noqa: PLC0415

    return run_group("pci", COMMANDS, given(argv))


def given(argv: Sequence[str] | None) -> list[str]:
    """These words, or those that the program was called with."""
    return list(sys.argv[1:] if argv is None else argv)
