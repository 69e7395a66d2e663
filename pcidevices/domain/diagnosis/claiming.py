"""Whether the device is claimed, by whom, and whether that claim may have it."""

from __future__ import annotations

from pcidevices.api.reasons import Reason
from pcidevices.domain.claims import ALLOWED, READY
from pcidevices.domain.conditions import condition

from .facts import Facts
from .link import Link, broken, holds


_READY_SAYS_IT_ALREADY = frozenset({"Present", "Permitted"})


def claim(facts: Facts) -> Link:
    """Also why a device that nobody claims has no driver."""
    found = facts.claim
    if found is None:
        return _unclaimed(facts)
    command = f"kubectl describe pciclaim {found.name}"
    owner = facts.owner
    if owner is not None and owner.uid != found.uid:
        fact = f"claim {found.name} waits for claim {owner.name}{_by(owner.user_name)}, which was there before"
        return broken("claim", Reason.CLAIMED_BY_ANOTHER, fact, command="kubectl get pciclaims")
    if found.deleting:
        said = condition(found.status.conditions, READY)
        reason = said.reason if said.status == "False" and said.reason else str(Reason.WITHDRAWING)
        fact = f"claim {found.name} is being deleted"
        return broken("claim", reason, f"{fact}: {said.message}" if said.message else fact, command=command)
    return holds("claim", f"claim {found.name}{_by(found.user_name)}, since {found.created}", command)


def allowed(facts: Facts) -> Link | None:
    """What the claim says, unless the fresh look says otherwise."""
    found = facts.claim
    if found is None:
        return None
    said = condition(found.status.conditions, ALLOWED)
    command = f"kubectl describe pciclaim {found.name}"
    if not said.reason:
        return broken("allowed", Reason.BINDING, f"the agent has not looked at claim {found.name} yet", command=command)
    if said.status != "True":
        return broken("allowed", said.reason, said.message, command=command)
    look = facts.look
    uses = look.host_uses if look is not None else ()
    if uses and said.reason != Reason.PROTECTION_OVERRIDDEN:
        return broken("allowed", Reason.DEVICE_PROTECTED, "; ".join(uses), command=command)
    return holds("allowed", said.message, command)


def ready(facts: Facts) -> Link | None:
    """Whatever else keeps the claim from being Ready, or the device from being offered."""
    found = facts.claim
    if found is None or facts.device is None:
        return None
    said = condition(found.status.conditions, READY)
    command = f"kubectl describe pciclaim {found.name}"
    if said.status != "True":
        return broken("ready", said.reason or Reason.BINDING, said.message or "it is not Ready yet", command=command)
    for other in facts.device.status.conditions:
        if other.status == "False" and other.type not in _READY_SAYS_IT_ALREADY:
            command = f"kubectl describe pcidevice {facts.device.name}"
            return broken("ready", other.reason, f"{other.type}: {other.message}", command=command)
    return holds("ready", said.message, command)


def rivals(facts: Facts) -> Link | None:
    """Claims that wait for the one that has the device."""
    owner = facts.owner
    waiting = sorted(each.name for each in facts.claims if owner is not None and each.uid != owner.uid)
    if owner is None or not waiting:
        return None
    fact = f"{', '.join(waiting)} waits for the same device behind {owner.name}{_by(owner.user_name)}"
    return broken("rivals", Reason.CLAIMED_BY_ANOTHER, fact, command="kubectl get pciclaims")


def _unclaimed(facts: Facts) -> Link:
    look = facts.look
    command = "kubectl get pciclaims"
    if look is not None and look.never:
        return broken("claim", Reason.NOT_CLAIMABLE, look.never, command=f"lspci -nns {facts.address}")
    if look is not None and look.driver_override and not look.kernel_driver_in_use:
        home = f"/sys/bus/pci/devices/{facts.address}"
        return broken(
            "claim",
            Reason.LEFT_WITHOUT_DRIVER,
            f"nobody claims it, and it has no driver: its driver override is {look.driver_override}",
            command=f"cat {home}/driver_override",
            then=f"echo > {home}/driver_override; echo {facts.address} > /sys/bus/pci/drivers_probe",
        )
    then = f"kubectl claim {facts.name}"
    if look is not None and look.host_uses:
        then += f" (it would be refused: {'; '.join(look.host_uses)})"
    return broken("claim", Reason.NOT_CLAIMED, "nobody claims it", command=command, then=then)


def _by(user: str) -> str:
    return f" by {user}" if user else ""
