"""How it stands with a whole node: its agent, what all of its devices need, and the devices that cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import Look
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import READY
from pcidevices.domain.conditions import condition
from pcidevices.domain.published import PublishedDevice
from pcidevices.errors import KubeletAway

from .asking import PODS, agent
from .counting import UNREADY
from .facts import Answer, Facts, NodeSeen
from .hardware import iommu_of_node, module_of
from .link import Diagnosis, Link, broken, doubtful, holds
from .together import missing


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What is known of one node."""

    node_name: str
    answer: Answer
    words: str = ""
    look: Look | None = None
    claims: tuple[Claim, ...] = ()
    """Those for its devices."""
    devices: tuple[PublishedDevice, ...] = ()
    """Those that are claimed."""
    node: NodeSeen | None = None
    is_expected: bool = True
    """Whether an agent must have been here; it need not where agents run on other nodes and nobody claims anything."""


def diagnose_node(facts: NodeFacts) -> Diagnosis:
    """All that is not as it should be: a claim's trouble does not hide that of another."""
    return Diagnosis(tuple(_links(facts)))


def kubelet_of_node(look: Look) -> Link:
    """Whether it answers the agent."""
    command = "systemctl status kubelet"
    if look.kubelet_problem:
        return broken("kubelet", KubeletAway.reason, look.kubelet_problem, command=command)
    return holds("kubelet", "the kubelet answers who has what", command)


def _links(facts: NodeFacts) -> Iterator[Link]:
    look = facts.look
    yield _agent(facts)
    if look is not None:
        yield iommu_of_node(is_enabled=look.iommu_enabled, is_needed=bool(facts.claims))
        if (module := module_of(look)) is not None:
            yield module
        yield kubelet_of_node(look)
    if facts.node is not None and not facts.node.is_ready:
        fact = f"Node {facts.node_name} is not Ready: {facts.node.message}"
        command = f"kubectl describe node {facts.node_name}"
        yield broken("node", KubeletAway.reason, fact, command=command, then=UNREADY)
    elif facts.node is not None:
        yield from missing(facts.node_name, facts.node, facts.devices, facts.claims)
    for claim in sorted(facts.claims, key=lambda each: each.name):
        if (trouble := _trouble(claim)) is not None:
            yield trouble
    ready = sum(condition(claim.status.conditions, READY).status == "True" for claim in facts.claims)
    yield holds("claims", f"{ready} of {len(facts.claims)} Ready", "kubectl get pciclaims -o wide")


def _agent(facts: NodeFacts) -> Link:
    name = facts.node_name
    if facts.answer is Answer.NOBODY and not facts.is_expected:
        fact = f"node {name} has no PCIDevice: no agent has seen it"
        then = "see that the agent runs there, if it shall"
        return doubtful("agent", Reason.NOT_PUBLISHED, fact, command=PODS.format(name), then=then)
    return agent(Facts(name=name, node_name=name, answer=facts.answer, words=facts.words, look=facts.look))


def _trouble(claim: Claim) -> Link | None:
    said = condition(claim.status.conditions, READY)
    command, then = f"kubectl describe pciclaim {claim.name}", f"kubectl pci doctor {claim.name}"
    if said.status == "True" and not claim.deleting:
        return None
    reason = said.reason if said.status == "False" and said.reason else str(Reason.BINDING)
    words = f"{claim.name}: {said.message or 'the agent has not looked at it yet'}"
    return broken("claim", reason, words, command=command, then=then)
