"""Whether KubeVirt lets it through, who has it, and who waits for it."""

from __future__ import annotations

from difflib import get_close_matches

from pcidevices.api.reasons import Reason
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import PERMITTED
from pcidevices.domain.conditions import condition
from pcidevices.domain.permitted import KubeVirt, Permission, decide, is_listed, permission_of

from .facts import Facts
from .link import Link, broken, doubtful, holds


_LIST = "kubectl get kubevirt -A -o jsonpath='{.items[*].spec.configuration.permittedHostDevices}'"
_DISPLAY = "03"
_ALIKE = 0.8


def kubevirt(facts: Facts) -> Link | None:
    """Plain pods need none of it."""
    if facts.device is None or facts.claim is None:
        return None
    permission = permission_of(facts.device, facts.claim)
    if permission is None:
        return None
    if facts.kubevirts is None:
        return _as_the_claim_says(facts.claim, facts.unread.get("kubevirt", "KubeVirt cannot be read"))
    if len(facts.kubevirts) != 1:
        what = "there is no KubeVirt in the cluster"
        if facts.kubevirts:
            what = f"there are several: {', '.join(sorted(map(str, facts.kubevirts)))}"
        return doubtful("kubevirt", Reason.KUBEVIRT_NOT_FOUND, what, command=_LIST)
    return _permitted(facts.kubevirts[0], permission, is_display=facts.device.status.class_id.startswith(_DISPLAY))


def use(facts: Facts) -> Link | None:
    """Nothing is wrong with a device that is used, unless somebody else waits for it."""
    if facts.device is None:
        return None
    has = facts.look.holders if facts.look is not None else facts.device.status.in_use_by
    command = f"kubectl get pcidevice {facts.device.name} -o jsonpath='{{.status.inUseBy}}'"
    if not has:
        return holds("use", "nobody has it now", command)
    waiting = [wish.who for wish in facts.wishes if wish.resource_name == facts.resource_name]
    seen = facts.node
    if waiting and seen is not None and seen.allocatable.get(facts.resource_name, 0) <= 1:
        fact = f"{', '.join(has)} has it, and {', '.join(waiting)} waits for one"
        then = "end the one, or claim another device of this model"
        return broken("use", Reason.DEVICE_IN_USE, fact, command=command, then=then)
    return holds("use", f"{', '.join(has)} has it", command)


def wishes(facts: Facts) -> Link | None:
    """Whether somebody waits for a name that is almost this one's."""
    command = "kubectl get vm,pods -A"
    if "wishes" in facts.unread:
        words = facts.unread["wishes"]
        then = "ask for the right to list pods and virtual machines"
        return doubtful("wishes", Reason.UNKNOWN_RESOURCE, words, command=command, then=then)
    known = {*facts.resources, facts.resource_name}
    for wish in facts.wishes:
        if wish.resource_name in known:
            continue
        if get_close_matches(_plain(wish.resource_name), [_plain(facts.resource_name)], cutoff=_ALIKE):
            fact = f"{wish.who} asks for {wish.resource_name}, which no device has; this one is {facts.resource_name}"
            return broken("wishes", Reason.UNKNOWN_RESOURCE, fact, command=command)
    return None


def _as_the_claim_says(claim: Claim, words: str) -> Link:
    """For a person who may not read KubeVirt; the agent may."""
    said = condition(claim.status.conditions, PERMITTED)
    command = f"kubectl describe pciclaim {claim.name}"
    if not said.reason:
        then = "ask for the right to list kubevirts"
        return doubtful("kubevirt", Reason.KUBEVIRT_NOT_FOUND, words, command=_LIST, then=then)
    if said.reason == Reason.PERMITTED:
        return holds("kubevirt", said.message, command)
    return (broken if said.status == "False" else doubtful)("kubevirt", said.reason, said.message, command=command)


def _permitted(found: KubeVirt, permission: Permission, *, is_display: bool) -> Link:
    findings = decide(found.listed, found.ours, [permission], found.ours.permissions).findings
    finding = findings[permission.resource_name]
    if finding.reason == Reason.CONFLICTING_PERMISSION:
        make = doubtful if finding.holds else broken
        return make("kubevirt", finding.reason, finding.message, command=_LIST)
    if found.listed is not None and not is_listed(found.listed, permission):
        fact = f"KubeVirt {found} does not list {permission}"
        then = ""
        if found.is_managed:
            then = "put the entry into spec.permittedHostDevices of the HyperConverged object"
        return broken("kubevirt", Reason.NOT_PERMITTED, fact, command=_LIST, then=then)
    if not found.has_gate:
        make = doubtful if is_display else broken
        fact = "KubeVirt's feature gate HostDevices is off: a virtual machine may have it under gpus alone"
        return make("kubevirt", Reason.FEATURE_GATE_OFF, fact, command=_LIST)
    listed = "lists it" if found.listed is not None else "has no list, which allows everything"
    return holds("kubevirt", f"KubeVirt {found} {listed}", _LIST)


def _plain(name: str) -> str:
    return name.upper().replace("-", "_")
