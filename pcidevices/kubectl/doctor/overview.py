"""A node, or all of them: whose agent answers, and which claims are not Ready."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pcidevices.domain.claim import Claim
from pcidevices.domain.diagnosis import Answer, Diagnosis, Facts, NodeSeen, diagnose
from pcidevices.domain.diagnosis.node import NodeFacts, diagnose_node
from pcidevices.errors import KubectlFailed
from pcidevices.kubectl.objects import Claim as Published
from pcidevices.kubectl.objects import claims, devices
from pcidevices.kubectl.transport import Kubectl

from .asking import Asked, ask
from .evidence import claims_of, sensible, some_device
from .others import node_of, nodes


_AT_ONCE = 8


def one_node(name: str, kubectl: Kubectl, patience: float) -> Diagnosis:
    """One look at any device of the node tells of all that its devices have in common."""
    device = some_device(name, kubectl)
    asked = ask(device, kubectl, patience=patience) if device else Asked(Answer.NOBODY)
    try:
        node = node_of(name, kubectl)
    except KubectlFailed:  # who may not read Nodes is told of the rest
        node = None
    return _told(name, asked, claims_of(name, kubectl), node=node)


def all_nodes(kubectl: Kubectl, patience: float) -> list[tuple[str, Diagnosis]]:
    """
    Each node that there is, or that has a PCIDevice or a claim, with one look at each.

    Where some have PCIDevices, agents may be meant to run on those alone.
    """
    first: dict[str, str] = {}
    for device in devices(kubectl):
        first.setdefault(device.status.node_name, device.name)
    of_node: dict[str, list[Published]] = defaultdict(list)
    for claim in claims(kubectl):
        of_node[claim.spec.node_name].append(claim)
    there = nodes(kubectl)
    names = sorted({name for name in (*first, *of_node, *there) if name})
    if not names:
        return [("the cluster", diagnose(Facts(name="", answer=Answer.NOBODY)))]

    def look_at(name: str) -> Diagnosis:
        asked = ask(first[name], kubectl, patience=patience) if name in first else Asked(Answer.NOBODY)
        claimed = sensible(of_node.get(name, ()))
        return _told(name, asked, claimed, node=there.get(name), is_expected=not first or name in of_node)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [(f"node {name}", diagnosis) for name, diagnosis in zip(names, pool.map(look_at, names), strict=True)]


def _told(
    name: str, asked: Asked, claimed: Iterable[Claim], *, node: NodeSeen | None, is_expected: bool = True
) -> Diagnosis:
    return diagnose_node(
        NodeFacts(
            node_name=name,
            answer=asked.answer,
            words=asked.words,
            look=asked.look,
            claims=tuple(claimed),
            node=node,
            is_expected=is_expected,
        )
    )
