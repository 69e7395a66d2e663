"""What a person hears of a claim: one Event and one line of log for each change that matters."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import PCIDeviceClaimStatus
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import ALLOWED, READY
from pcidevices.domain.conditions import Finding, condition
from pcidevices.ports import Events


log = structlog.get_logger()

_ON_THE_WAY = frozenset({Reason.BINDING, Reason.WITHDRAWING})
_USUAL = frozenset({Reason.READY, Reason.BINDING, Reason.GIVEN_BACK, Reason.LEFT_ON_VFIO, Reason.CLAIMED_BY_ANOTHER})


def news(before: PCIDeviceClaimStatus, after: PCIDeviceClaimStatus) -> Iterator[Finding]:
    """What a person wants to hear of: that it came out otherwise, and that somebody overrode a protection."""
    for kind in (ALLOWED, READY):
        old, new = condition(before.conditions, kind), condition(after.conditions, kind)
        is_news = (old.status, old.reason) != (new.status, new.reason) and new.reason not in _ON_THE_WAY
        if is_news and (kind == READY or new.reason == Reason.PROTECTION_OVERRIDDEN):
            yield Finding(new.status, new.reason, new.message)


def tell(events: Events, claim: Claim, finding: Finding) -> None:
    """Of a claim that stays."""
    _tell(events, claim, finding)
    if finding.reason in _USUAL:
        log.info("claim.changed", **_facts(claim, finding))
    else:
        log.warning("claim.refused", **_facts(claim, finding))


def tell_end(events: Events, claim: Claim, ending: Finding) -> None:
    """Of a claim that has nothing to wait for any more."""
    _tell(events, claim, ending)
    log.info("claim.released", **_facts(claim, ending))


def _tell(events: Events, claim: Claim, finding: Finding) -> None:
    events.tell(claim, reason=finding.reason, note=finding.message, warning=finding.reason not in _USUAL)


def _facts(claim: Claim, finding: Finding) -> dict[str, str]:
    about = {"claim": claim.name, "address": str(claim.address), "user": claim.user_name}
    return about | {"reason": finding.reason, "message": finding.message}
