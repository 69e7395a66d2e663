"""
Claim PCI devices: they leave their host drivers for vfio-pci, and virtual machines and pods can ask for them.

  kubectl claim janus-00005e000              by the name of its PCIDevice
  kubectl claim janus 5e:00.0 --wait         by node and address; wait until it is Ready
  kubectl claim gtx --group                  by a part of its description; with its whole IOMMU group
  kubectl claim -l devices.harvesterhci.io/vendor=10de --node janus

The other steps, with devices named in the same ways:

  kubectl pci list nvidia                    what there is, on which driver, whose
  kubectl pci vm gtx                         the lines with which a virtual machine of KubeVirt asks for it
  kubectl pci pod gtx                        the lines with which a container of a pod asks for it
  kubectl pci top                            how many are ready, used and free
  kubectl pci doctor gtx                     why it cannot be used, and what to do
  kubectl unclaim gtx --group --wait         give it back; while somebody uses it, that waits
"""

from __future__ import annotations

import argparse
import sys

from collections.abc import Collection, Iterator, Sequence

import msgspec

from pcidevices.errors import ConfigError

from .batch import one_by_one
from .duration import duration
from .finding import add_choice
from .following import turns
from .making import claim_for
from .objects import CLAIM_RESOURCE, CLAIMS, Claim
from .output import add_output, print_done, print_objects
from .planning import planned
from .progress import are_hopeless, is_ready, line, turned, why_not_ready
from .screen import Screen
from .transport import Kubectl


_MANAGER = "kubectl-claim"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl claim`."""
    add_choice(parser)
    add = parser.add_argument
    add("--group", action="store_true", help="claim the whole IOMMU group of each device, but for its bridges")
    add("--wait", action="store_true", help="wait until all are Ready, and say how it goes")
    add("--timeout", type=duration, default=60.0, metavar="TIME", help="how long to wait (60s)")
    add(
        "--allow-protected",
        action="store_true",
        help="claim the named devices although the host uses them; see what that means before",
    )
    add("--reason", default="", metavar="TEXT", help="why, for whoever looks at the claim")
    add(
        "--disable-resource-pooling",
        action="store_true",
        help="offer each device under a resource name of its own, not with its equals",
    )
    add("--dry-run", choices=("none", "client", "server"), default="none", help="do not keep it (none)")
    add_output(parser, "json", "yaml", "name")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Choose, refuse what cannot be, create, and wait if that is wanted."""
    if flags.allow_protected and flags.selector:
        raise ConfigError("--allow-protected is for devices that are named one by one, not for -l")
    plan = planned(flags, kubectl)
    if plan is None:
        return 1
    named = {device.name for device in plan.named}
    bodies = [
        claim_for(
            device,
            plan.user,
            allowed=flags.allow_protected and device.name in named,
            reason=flags.reason,
            unpooled=flags.disable_resource_pooling,
        )
        for device in plan.everyone
    ]
    made, failed = _created(bodies, flags, kubectl)
    if made and flags.output in {"json", "yaml"}:
        print_objects(made, flags.output, bare=len(made) == 1)
    names = [msgspec.json.decode(one, type=Claim).name for one in made]
    alone = plan.alone(names)
    for name, why in alone.items():
        print(f"Warning: {name}: {why}; claim it too (--group)", file=sys.stderr)
    if flags.dry_run != "none" or not made:
        return int(failed)
    if flags.wait:
        return int(not _ready(names, flags, kubectl, alone=alone) or failed)
    if sys.stderr.isatty():
        print(f"See how it goes: kubectl pci describe {names[0]}   (or give --wait)", file=sys.stderr)
    return int(failed)


def _created(bodies: Sequence[object], flags: argparse.Namespace, kubectl: Kubectl) -> tuple[list[bytes], bool]:
    """The claims as the server keeps them, and whether one of them failed."""
    query = {"fieldManager": _MANAGER, **({"dryRun": "All"} if flags.dry_run == "server" else {})}

    def create(body: object) -> bytes:
        made = msgspec.json.encode(body) if flags.dry_run == "client" else kubectl.create(CLAIMS, body, query=query)
        if flags.output not in {"json", "yaml"}:
            name = msgspec.json.decode(made, type=Claim).name
            print_done(CLAIM_RESOURCE, name, what="created", form=flags.output, dry_run=flags.dry_run)
        return made

    return one_by_one(bodies, create)


def _ready(names: Sequence[str], flags: argparse.Namespace, kubectl: Kubectl, *, alone: Collection[str]) -> bool:
    """Wait until all are Ready, or cannot be, or the time is up; what turns is said as it turns."""
    to = sys.stderr if flags.output else sys.stdout
    screen = Screen.of(to)
    known: dict[str, Claim] = {}
    waiting = dict.fromkeys(names)
    for name, claim in turns(kubectl, names, timeout=flags.timeout):
        if claim is None:
            print(f"error: {CLAIM_RESOURCE}/{name} was deleted while it was waited for", file=sys.stderr)
            return False
        for turn in turned(known.get(name), claim):
            print(screen.cut(line(name, turn, screen)), file=to, flush=True)
        known[name] = claim
        if is_ready(claim):
            waiting.pop(name, None)
        else:
            waiting.setdefault(name)
        if not waiting:
            return True
        if len(known) == len(names) and are_hopeless([known[name] for name in waiting], alone):
            break
    for text in _left(waiting, known, timeout=flags.timeout):
        print(text, file=sys.stderr)
    return False


def _left(waiting: dict[str, None], known: dict[str, Claim], *, timeout: float) -> Iterator[str]:
    """What became of those that are not Ready."""
    for name in waiting:
        claim = known[name]
        if are_hopeless([claim], {name}):
            yield f"error: {CLAIM_RESOURCE}/{name} is refused: {why_not_ready(claim)}"
        else:
            yield f"error: {CLAIM_RESOURCE}/{name} is not Ready after {timeout:g} s: {why_not_ready(claim)}"
    it, them = ("claim stays", "it") if len(waiting) == 1 else ("claims stay", "them")
    yield f"The {it}, and the agent goes on when that changes; `kubectl unclaim` takes {them} back."
