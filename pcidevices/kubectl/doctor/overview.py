"""A node, or all of them: whose agent answers, and which claims are not Ready."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pcidevices.domain.claim import Claim
from pcidevices.domain.diagnosis import Answer, Diagnosis
from pcidevices.domain.diagnosis.node import NodeFacts, diagnose_node
from pcidevices.errors import KubectlFailed
from pcidevices.kubectl.objects import claims, devices
from pcidevices.kubectl.transport import Kubectl

from .asking import Asked, ask
from .evidence import claim_of, claims_of, some_device
from .others import node_of


_AT_ONCE = 8


def one_node(name: str, kubectl: Kubectl, patience: float) -> Diagnosis:
    """One look at any device of the node tells of all that its devices have in common."""
    return _node(name, some_device(name, kubectl), claims_of(name, kubectl), kubectl=kubectl, patience=patience)


def all_nodes(kubectl: Kubectl, patience: float) -> list[tuple[str, Diagnosis]]:
    """Each node that has a PCIDevice or a claim, with one look at each."""
    first: dict[str, str] = {}
    for device in devices(kubectl):
        first.setdefault(device.status.node_name, device.name)
    of_node: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims(kubectl):
        of_node[claim.spec.node_name].append(claim_of(claim))
    names = sorted({name for name in (*first, *of_node) if name})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(
            lambda name: _node(name, first.get(name, ""), of_node[name], kubectl=kubectl, patience=patience), names
        )
        return [(f"node {name}", diagnosis) for name, diagnosis in zip(names, found, strict=True)]


def _node(name: str, device: str, claimed: Sequence[Claim], *, kubectl: Kubectl, patience: float) -> Diagnosis:
    asked = ask(device, kubectl, patience=patience) if device else Asked(Answer.NOBODY)
    try:
        node = node_of(name, kubectl)
    except KubectlFailed:  # who may not read Nodes is told of the rest
        node = None
    return diagnose_node(
        NodeFacts(
            node_name=name,
            answer=asked.answer,
            words=asked.words,
            look=asked.look,
            claims=tuple(claimed),
            node=node,
        )
    )
