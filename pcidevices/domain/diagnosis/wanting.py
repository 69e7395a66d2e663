"""Whether KubeVirt lets it through, who has it, and who waits for it."""

from __future__ import annotations

from difflib import get_close_matches

from pcidevices.api.reasons import Reason
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import PERMITTED
from pcidevices.domain.conditions import condition
from pcidevices.domain.permitted import KubeVirt, Permission, decide, is_listed, permission_of
from pcidevices.errors import KubeletAway

from .facts import Facts
from .link import Link, broken, doubtful, holds


_LIST = "kubectl get kubevirt -A -o jsonpath='{.items[*].spec.configuration.permittedHostDevices}'"
_GATES = "kubectl get kubevirt -A -o jsonpath='{.items[*].spec.configuration.developerConfiguration.featureGates}'"
_IS_INSTALLED = "kubectl api-resources --api-group=kubevirt.io"
_MAY_READ = "kubectl auth can-i list kubevirts.kubevirt.io -A"
_SECOND_NAME = "take that entry out, if nobody asks for the device under that name any more"
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
        what, command, then = "there is no KubeVirt in the cluster", _IS_INSTALLED, ""
        if facts.kubevirts:
            what = f"there are several: {', '.join(sorted(map(str, facts.kubevirts)))}"
            command, then = "kubectl get kubevirt -A", "name one of them to the agents: --kubevirt"
        return doubtful("kubevirt", Reason.KUBEVIRT_NOT_FOUND, what, command=command, then=then)
    return _permitted(facts.kubevirts[0], permission, is_display=facts.device.status.class_id.startswith(_DISPLAY))


def use(facts: Facts) -> Link | None:
    """Nothing is wrong with a device that is used, unless somebody else waits for it."""
    if facts.device is None:
        return None
    has = facts.look.holders if facts.look is not None else facts.device.status.in_use_by
    command = f"kubectl get pcidevice {facts.device.name} -o jsonpath='{{.status.inUseBy}}'"
    if not has and facts.look is not None and facts.look.kubelet_problem:
        fact = f"it is not known who has it: {facts.look.kubelet_problem}"
        return doubtful("use", KubeletAway.reason, fact, command="systemctl status kubelet")
    if not has:
        return holds("use", "nobody has it now", command)
    waiting = [wish.who for wish in facts.wishes if wish.resource_name == facts.resource_name]
    seen = facts.node
    if waiting and seen is not None and seen.allocatable.get(facts.resource_name, 0) <= 1 + facts.taken_beside:
        others = f", {facts.taken_beside} more of {facts.resource_name} on {facts.node_name} have been given away"
        fact = f"{', '.join(has)} has it{others if facts.taken_beside else ''}, and {', '.join(waiting)} waits for one"
        then = "end the one, or claim another device of this model"
        return broken("use", Reason.DEVICE_IN_USE, fact, command=command, then=then)
    return holds("use", f"{', '.join(has)} has it", command)


def wishes(facts: Facts) -> Link | None:
    """Whether somebody waits for a name that is almost this one's."""
    if "wishes" in facts.unread:
        words = facts.unread["wishes"]
        then = "ask for the right to list pods and virtual machines"
        return doubtful("wishes", Reason.UNKNOWN_RESOURCE, words, command="kubectl auth can-i --list", then=then)
    known = {*facts.resources, facts.resource_name}
    for wish in facts.wishes:
        if wish.resource_name in known:
            continue
        if get_close_matches(_plain(wish.resource_name), [_plain(facts.resource_name)], cutoff=_ALIKE):
            fact = f"{wish.who} asks for {wish.resource_name}, which no device has; this one is {facts.resource_name}"
            return broken("wishes", Reason.UNKNOWN_RESOURCE, fact, command=wish.command)
    return None


def _as_the_claim_says(claim: Claim, words: str) -> Link:
    """For a person who may not read KubeVirt; the agent may."""
    said = condition(claim.status.conditions, PERMITTED)
    command = f"kubectl describe pciclaim {claim.name}"
    if not said.reason:
        then = "ask for the right to list kubevirts"
        return doubtful("kubevirt", Reason.KUBEVIRT_NOT_FOUND, words, command=_MAY_READ, then=then)
    if said.reason == Reason.PERMITTED:
        return holds("kubevirt", said.message, command)
    if said.status == "False":
        return broken("kubevirt", said.reason, said.message, command=command)
    then = _SECOND_NAME if said.reason == Reason.CONFLICTING_PERMISSION else ""
    return doubtful("kubevirt", said.reason, said.message, command=command, then=then)


def _permitted(found: KubeVirt, permission: Permission, *, is_display: bool) -> Link:
    findings = decide(found.listed, found.ours, [permission], found.ours.permissions).findings
    finding = findings[permission.resource_name]
    if finding.reason == Reason.CONFLICTING_PERMISSION:
        if finding.holds:
            return doubtful("kubevirt", finding.reason, finding.message, command=_LIST, then=_SECOND_NAME)
        return broken("kubevirt", finding.reason, finding.message, command=_LIST)
    if found.listed is not None and not is_listed(found.listed, permission):
        fact = f"KubeVirt {found} does not list {permission}"
        then = ""
        if found.is_managed:
            then = "put the entry into spec.permittedHostDevices of the HyperConverged object"
        return broken("kubevirt", Reason.NOT_PERMITTED, fact, command=_LIST, then=then)
    if not found.has_gate:
        make = doubtful if is_display else broken
        fact = "KubeVirt's feature gate HostDevices is off: a virtual machine may have it under gpus alone"
        return make("kubevirt", Reason.FEATURE_GATE_OFF, fact, command=_GATES)
    listed = "lists it" if found.listed is not None else "has no list, which allows everything"
    return holds("kubevirt", f"KubeVirt {found} {listed}", _LIST)


def _plain(name: str) -> str:
    return name.upper().replace("-", "_")
