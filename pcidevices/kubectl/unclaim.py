"""
Give claimed PCI devices back to their host drivers.

  kubectl unclaim janus-00005e000            by the name of its PCIDevice or claim
  kubectl unclaim janus 5e:00.0 --wait       by node and address; wait until the device is back
  kubectl unclaim gtx --group                with its whole IOMMU group

While a virtual machine or a pod has the device the claim waits; nothing is taken from under it. Who has it is told, and
shown by `kubectl pci list --claimed`; when they end, it is given back by itself.
"""

from __future__ import annotations

import argparse
import sys

from collections.abc import Sequence

from pcidevices.domain.claims import READY
from pcidevices.domain.printable import plain
from pcidevices.errors import ConfigError, NotFound

from .batch import one_by_one
from .claimed import meant, with_groups
from .duration import duration
from .ending import PATIENCE, ending
from .finding import add_choice
from .following import turns
from .objects import CLAIM_RESOURCE, CLAIMS, Claim, devices, every_claim
from .output import print_deleted
from .progress import line, turned, why_not_ready
from .screen import Screen
from .transport import Kubectl


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl unclaim`."""
    add_choice(parser)
    add = parser.add_argument
    add("--group", action="store_true", help="give back all claimed devices of each one's IOMMU group")
    add("--wait", action="store_true", help="wait until all are given back, and say how it goes and what came out")
    add("--timeout", type=duration, default=60.0, metavar="TIME", help="how long to wait (60s)")
    add("--dry-run", choices=("none", "client", "server"), default="none", help="do not do it (none)")
    add("-o", "--output", choices=("name",), default="", metavar="name", help="print the names alone")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Choose, say who has them, delete, and wait if that is wanted."""
    words = [*flags.device, *([flags.address] if flags.address else [])]
    if not words and not flags.selector:
        raise ConfigError("no device is named; `kubectl pci list --claimed` shows those that are claimed")
    there = [claim for claim in every_claim(kubectl) if not flags.node or claim.spec.node_name == flags.node]
    listed = list(devices(kubectl, node=flags.node, selector=flags.selector))
    selected = {device.place for device in listed}
    here = [claim for claim in there if not flags.selector or claim.place in selected]
    chosen = meant(here, listed, words) if words else here
    if flags.group:
        if flags.selector:  # the others of a group may have other labels
            listed = list(devices(kubectl, node=flags.node))
        chosen = with_groups(chosen, there, listed)
    if not chosen:
        raise NotFound(f"nobody claims a device with the labels {flags.selector}")
    in_use = {device.place: device.status.in_use_by for device in listed if device.status.in_use_by}
    for claim in chosen:
        if pods := in_use.get(claim.place):
            print(f"{claim.name}: in use by {', '.join(pods)}; it is given back when they end", file=sys.stderr)
    gone, failed = _deleted(chosen, flags, kubectl)
    if flags.wait and flags.dry_run == "none" and gone:
        return int(not _given_back(gone, flags, kubectl) or failed)
    return int(failed)


def _deleted(chosen: Sequence[Claim], flags: argparse.Namespace, kubectl: Kubectl) -> tuple[list[Claim], bool]:
    """Those that are deleted now, and whether one of them failed."""
    query = {"dryRun": "All"} if flags.dry_run == "server" else None

    def delete(claim: Claim) -> Claim:
        if flags.dry_run != "client":
            kubectl.delete(f"{CLAIMS}/{claim.name}", query=query)
        print_deleted(CLAIM_RESOURCE, claim.name, form=flags.output, dry_run=flags.dry_run)
        return claim

    return one_by_one(chosen, delete)


def _given_back(claims: Sequence[Claim], flags: argparse.Namespace, kubectl: Kubectl) -> bool:
    """Wait until all are gone, or the time is up; whether no device was left without its driver."""
    to = sys.stderr if flags.output else sys.stdout
    screen = Screen.of(to)
    known: dict[str, Claim] = {}
    waiting = {claim.name: claim for claim in claims}
    all_are_back = True
    for name, claim in turns(kubectl, list(waiting), timeout=flags.timeout):
        if name not in waiting:
            continue
        if claim is None:
            end = ending(kubectl, known.get(name, waiting.pop(name)), patience=min(PATIENCE, flags.timeout))
            all_are_back = all_are_back and end.holds is not False
            print(f"{name}  {screen.mark(holds=end.holds)} {plain(end.words)}", file=to, flush=True)
        else:
            for turn in turned(known.get(name), claim):
                if name in known or (turn.type == READY and turn.status != "True"):
                    print(screen.cut(line(name, turn, screen)), file=to, flush=True)
            known[name] = claim
        if not waiting:
            return all_are_back
    for name in waiting:
        why = why_not_ready(known[name]) if name in known else "it is still there"
        print(f"error: {CLAIM_RESOURCE}/{name} is not given back after {flags.timeout:g} s: {why}", file=sys.stderr)
    print("It goes by itself when nothing keeps it any more.", file=sys.stderr)
    return False
