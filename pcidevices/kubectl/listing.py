"""
Show devices in a table: where each is, what it is, on which driver, who claims it and who has it.

  kubectl pci list                         all of the cluster
  kubectl pci list --node janus nvidia     of a node; words that must stand somewhere in the line
  kubectl pci list --claimed --sort-by group
"""

from __future__ import annotations

import argparse
import gc
import sys

from .cells import NARROW, WIDE, Line, matches, order, table
from .objects import DEVICE_KIND, claims, owners, raw_devices
from .output import add_output, print_objects, print_table
from .screen import Screen
from .transport import Kubectl


_RESOURCE = f"pcidevice.{DEVICE_KIND.partition('.')[2]}"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci list`."""
    add = parser.add_argument
    add("word", nargs="*", help="only lines that have all these words, whatever their case")
    add("--node", default="", help="only devices of this node")
    add("-l", "--selector", default="", help="only devices with these labels")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--claimed", action="store_true", help="only devices that somebody claims")
    only.add_argument("--unclaimed", action="store_true", help="only devices that nobody claims")
    add("--sort-by", default="", metavar="COLUMN", help="a column, such as numa, group or in-use-by (node and address)")
    add("--no-headers", action="store_true", help="lines alone")
    add_output(parser, "wide", "json", "yaml", "name")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Look once, and print."""
    key = order(flags.sort_by)
    gc.disable()  # thousands of small values that all live to the end
    taken = owners(claims(kubectl))
    keep_raw = flags.output in {"json", "yaml"}
    found = []
    for raw, device in raw_devices(kubectl, node=flags.node, selector=flags.selector):
        line = Line(device, taken.get(device.place))
        if (flags.claimed and not line.claim) or (flags.unclaimed and line.claim) or not matches(line, flags.word):
            continue
        found.append((line, raw.copy() if keep_raw else None))
    found.sort(key=lambda one: key(one[0]))
    lines = [line for line, _ in found]
    match flags.output:
        case "json" | "yaml":
            print_objects((raw for _, raw in found if raw is not None), flags.output)
        case "name":
            sys.stdout.write("".join(f"{_RESOURCE}/{line.device.name}\n" for line in lines))
        case _ if not lines:
            print("No resources found", file=sys.stderr)
        case output:
            columns = WIDE if output == "wide" else NARROW
            width = None if output == "wide" else Screen.of(sys.stdout).width
            print_table(table(lines, columns, headers=not flags.no_headers), width=width)
    return 0
