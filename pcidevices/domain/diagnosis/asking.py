"""Whether the person may see it, whether the agent answers, and whether there is such a device."""

from __future__ import annotations

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import Look
from pcidevices.domain.conditions import condition
from pcidevices.domain.inventory import PRESENT
from pcidevices.domain.published import PublishedDevice
from pcidevices.errors import DeviceNotFound, DeviceUnreadable, Forbidden, Unavailable

from .facts import Answer, Facts
from .link import Link, broken, doubtful, holds


_UNASKED = "the agent was not asked for a fresh look, so this is what the objects say"
PODS = "kubectl get pods -A -o wide --field-selector spec.nodeName={}"


def access(facts: Facts) -> Link | None:
    """Nothing is said of it when it works."""
    if facts.refusal is None:
        return None
    reason, words, then = facts.refusal
    command = "kubectl auth can-i list pcidevices" if reason == Forbidden.reason else "kubectl version"
    return broken("access", reason, words, command=command, then=then)


def agent(facts: Facts) -> Link:
    """Everything that follows is as fresh as its answer."""
    name = facts.node_name
    pods = PODS.format(name)
    match facts.answer:
        case Answer.ANSWERED:
            version = f" ({facts.look.agent_version})" if facts.look is not None and facts.look.agent_version else ""
            return holds("agent", f"the agent on {name} answers{facts.words}{version}", pods)
        case Answer.REFUSED:
            fact = f"{_UNASKED}: {facts.words}"
            command, then = "kubectl auth can-i patch pcidevices", "ask for the role pcidevices-claimer"
            return doubtful("agent", Forbidden.reason, fact, command=command, then=then)
        case Answer.FAILED:
            return doubtful("agent", Unavailable.reason, f"{_UNASKED}: {facts.words}", command="kubectl version")
        case Answer.UNWANTED:
            then = "ask again without --fresh=false"
            return doubtful("agent", Reason.AGENT_SILENT, f"{_UNASKED}: {facts.words}", command=pods, then=then)
        case Answer.SILENT:
            fact = f"the agent on {name} does not answer; what follows was said before"
            return broken("agent", Reason.AGENT_SILENT, fact, command=pods)
        case Answer.NOBODY:
            return _nobody(facts)


def _nobody(facts: Facts) -> Link:
    command, then = "kubectl get pcidevices -o wide", ""
    fact = f"there is no PCIDevice, claim or node {facts.name}"
    if facts.node_name:
        fact = f"node {facts.node_name} has no PCIDevice: no agent has seen it, or that is not its name"
    elif not facts.name:
        fact = "the cluster has no PCIDevice: no agent has come up on any node"
        command, then = "kubectl get daemonsets,pods -A", "see that the agent's pods run, and read their log"
    return broken("agent", Reason.NOT_PUBLISHED, fact, command=command, then=then)


def device(facts: Facts) -> Link:
    """Whether the device is there, and is what its object says."""
    seen, look = facts.device, facts.look
    if seen is None:
        return _no_object(facts)
    command = f"kubectl describe pcidevice {seen.name}"
    problem = _told(seen) if look is None else _seen(look, f"{facts.address} on {facts.node_name}")
    if problem is not None:
        reason, fact = problem
        return broken("device", reason, fact, command=command)
    if facts.was_outdated:
        fact = f"the agent had not noticed until it was asked: {'; '.join(facts.was_outdated)}"
        return doubtful("device", Reason.OUTDATED, fact, command=command)
    return holds("device", f"{seen.status.address}: {seen.status.description}", command)


def _no_object(facts: Facts) -> Link:
    if facts.claims:
        fact = f"there is nothing at {facts.address} on {facts.node_name}, and a claim for it"
        return broken("device", DeviceNotFound.reason, fact, command=f"lspci -nns {facts.address}")
    fact = f"there is no PCIDevice, claim or node {facts.name}"
    return broken("device", Reason.NOT_PUBLISHED, fact, command="kubectl get pcidevices -o wide")


def _seen(look: Look, where: str) -> tuple[str, str] | None:
    """What the fresh look found wrong."""
    if not look.found:
        return DeviceNotFound.reason, f"there is nothing at {where} now"
    if look.problem and not look.silent:
        return DeviceUnreadable.reason, f"{where}: {look.problem}"
    if look.outdated:
        return Reason.OUTDATED, "; ".join(look.outdated)
    return None


def _told(published: PublishedDevice) -> tuple[str, str] | None:
    """What its object says is wrong."""
    present = condition(published.status.conditions, PRESENT)
    is_wrong = present.reason and present.status != "True"
    return (present.reason, present.message) if is_wrong else None
