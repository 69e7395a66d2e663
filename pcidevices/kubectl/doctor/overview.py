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
from pcidevices.kubectl.objects import Device, claims, devices
from pcidevices.kubectl.transport import Kubectl

from .asking import Asked, ask
from .evidence import claims_of, published, sensible, some_device
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
    claimed = claims_of(name, kubectl)
    places = {(claim.node_name, str(claim.address)) for claim in claimed}
    theirs = [each for each in devices(kubectl, node=name) if each.place in places] if places else []
    return _told(name, asked, claimed, devices=theirs, node=node)


def all_nodes(kubectl: Kubectl, patience: float) -> list[tuple[str, Diagnosis]]:
    """
    Each node that there is, or that has a PCIDevice or a claim, with one look at each.

    Where some have PCIDevices, agents may be meant to run on those alone.
    """
    of_node: dict[str, list[Published]] = defaultdict(list)
    for claim in claims(kubectl):
        of_node[claim.spec.node_name].append(claim)
    places = {claim.place for claimed in of_node.values() for claim in claimed}
    first: dict[str, str] = {}
    claimed_of: dict[str, list[Device]] = defaultdict(list)
    for device in devices(kubectl):
        first.setdefault(device.status.node_name, device.name)
        if device.place in places:
            claimed_of[device.status.node_name].append(device)
    there = nodes(kubectl)
    names = sorted({name for name in (*first, *of_node, *there) if name})
    if not names:
        return [("the cluster", diagnose(Facts(name="", answer=Answer.NOBODY)))]

    def look_at(name: str) -> Diagnosis:
        asked = ask(first[name], kubectl, patience=patience) if name in first else Asked(Answer.NOBODY)
        claimed = sensible(of_node.get(name, ()))
        theirs, is_expected = claimed_of.get(name, ()), not first or name in of_node
        return _told(name, asked, claimed, devices=theirs, node=there.get(name), is_expected=is_expected)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [(f"node {name}", diagnosis) for name, diagnosis in zip(names, pool.map(look_at, names), strict=True)]


def _told(
    name: str,
    asked: Asked,
    claimed: Iterable[Claim],
    *,
    devices: Iterable[Device],
    node: NodeSeen | None,
    is_expected: bool = True,
) -> Diagnosis:
    return diagnose_node(
        NodeFacts(
            node_name=name,
            answer=asked.answer,
            words=asked.words,
            look=asked.look,
            claims=tuple(claimed),
            devices=tuple(map(published, devices)),
            node=node,
            is_expected=is_expected,
        )
    )
