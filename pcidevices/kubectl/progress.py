"""What there is to say of a claim on its way: pure, one line for each condition that turned."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import Condition
from pcidevices.domain.claims import ALLOWED, BOUND, GROUP_VIABLE, READY
from pcidevices.domain.conditions import condition
from pcidevices.domain.printable import plain

from .objects import Claim
from .screen import Screen


FINAL = frozenset(
    {
        Reason.CLAIMED_BY_ANOTHER,
        Reason.WRONG_MACHINE,
        Reason.DEVICE_CHANGED,
        Reason.DEVICE_PROTECTED,
        Reason.NOT_CLAIMABLE,
        Reason.NO_IOMMU_GROUP,
    }
)
"""Of a claim that is not Ready: nothing comes of waiting, a person must change something."""
_ORDER = (ALLOWED, BOUND, GROUP_VIABLE, READY)
_WIDTH = max(map(len, _ORDER))


def is_ready(claim: Claim) -> bool:
    """Whether virtual machines can have the device."""
    return condition(claim.status.conditions, READY).status == "True"


def why_not_ready(claim: Claim) -> str:
    """Reason and message; of a claim that no agent has looked at, that."""
    ready = condition(claim.status.conditions, READY)
    if not ready.reason:
        return (
            f"no agent has looked at it; does one run on {claim.spec.node_name}? "
            f"kubectl get pods -A --field-selector spec.nodeName={claim.spec.node_name}"
        )
    return plain(f"{ready.reason}: {ready.message}" if ready.message else ready.reason)


def are_hopeless(waiting: Sequence[Claim], alone: Collection[str]) -> bool:
    """
    Whether the agent has said no to all of them, and waiting does not change that.

    *alone* names those whose IOMMU group is not coming with them; that of the others is not viable for a moment, or
    for good when one of them is refused.
    """
    some_are_refused = any(is_refused(claim) for claim in waiting)
    return bool(waiting) and all(
        is_refused(claim) or (_is_blocked(claim) and (some_are_refused or claim.name in alone)) for claim in waiting
    )


def is_refused(claim: Claim) -> bool:
    """Whether the agent has said a no that waiting does not change."""
    ready = condition(claim.status.conditions, READY)
    return ready.status != "True" and ready.reason in FINAL


def _is_blocked(claim: Claim) -> bool:
    return condition(claim.status.conditions, READY).reason == Reason.GROUP_NOT_VIABLE


def turned(before: Claim | None, now: Claim) -> Iterator[Condition]:
    """
    The conditions whose status, reason or message is another than before, in the order of the chain.

    One that does not hold for the reason of another before it says nothing new.
    """
    old = {c.type: _told(c) for c in before.status.conditions} if before else {}
    new = {c.type: c for c in now.status.conditions}
    said: set[tuple[str, str]] = set()
    for kind in [*_ORDER, *(kind for kind in new if kind not in _ORDER)]:
        if kind not in new:
            continue
        why = (new[kind].reason, new[kind].message)
        if _told(new[kind]) != old.get(kind) and (new[kind].status == "True" or why not in said):
            yield new[kind]
        said.add(why)


def line(name: str, turn: Condition, screen: Screen) -> str:
    """``janus-00005e000  ✔ Bound         0000:5e:00.0 is on vfio-pci``"""
    holds = None if turn.reason in {Reason.BINDING, Reason.WITHDRAWING} else turn.status == "True"
    said = turn.message or turn.reason
    why = said if holds else f"{turn.reason}: {turn.message}".removesuffix(": ")
    return f"{name}  {screen.mark(holds=holds)} {turn.type:{_WIDTH}}  {plain(why)}"


def _told(one: Condition) -> tuple[str, str, str]:
    return one.status, one.reason, one.message
