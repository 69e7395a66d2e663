"""
Find out why a device cannot be used: what is wrong first, how to see it, and what to do.

  kubectl pci doctor janus-00005e000     one device, from its agent to the virtual machine that waits for it
  kubectl pci doctor janus 5e:00.0       the same, by node and address
  kubectl pci doctor janus               a node: its agent, its IOMMU, its claims
  kubectl pci doctor                     all nodes, shortly

Exit status: 0 when nothing is wrong, 1 when something is.
"""

from __future__ import annotations

import argparse

from collections.abc import Sequence

from pcidevices.domain.diagnosis import Diagnosis, Facts, diagnose
from pcidevices.errors import KubectlFailed
from pcidevices.kubectl.duration import duration
from pcidevices.kubectl.output import add_output
from pcidevices.kubectl.transport import Kubectl

from .evidence import facts_of, refused
from .overview import all_nodes, one_node
from .report import print_diagnosis, print_json
from .target import target_of


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci doctor`."""
    add = parser.add_argument
    add("what", nargs="*", metavar="DEVICE|CLAIM|NODE", help="a name, NODE ADDRESS, or any part that only one has")
    add("--timeout", type=duration, default=5.0, metavar="TIME", help="how long to wait for the agent (5s)")
    add("--fresh", choices=("true", "false"), default="true", help="ask the agent for a fresh look (true)")
    add_output(parser, "json")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Print what is found; 1 when something is wrong."""
    patience = flags.timeout if flags.fresh == "true" else 0.0
    found = diagnosed(flags.what, kubectl, patience)
    if flags.output == "json":
        print_json(found)
    else:
        print_diagnosis(found, briefly=not flags.what)
    return int(any(diagnosis.cause is not None for _, diagnosis in found))


def diagnosed(words: Sequence[str], kubectl: Kubectl, patience: float) -> list[tuple[str, Diagnosis]]:
    """What *words* mean, each with what was found; nobody is asked when there is no *patience*."""
    try:
        target = target_of(words, kubectl)
        if target.is_cluster:
            return all_nodes(kubectl, patience)
        if target.is_node:
            return [(f"node {target.node}", one_node(target.node, kubectl, patience))]
        facts = facts_of(target, kubectl, patience)
    except KubectlFailed as error:
        denied = refused(" ".join(words), error)
        if denied is None:
            raise
        facts = denied
    return [(_title(facts), diagnose(facts))]


def _title(facts: Facts) -> str:
    name = facts.device.name if facts.device is not None else facts.name
    return f"{name}: {facts.address} on {facts.node_name}" if facts.node_name else name or "the cluster"
