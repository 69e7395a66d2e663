"""Turns of look, decide, record and act, without the agent and the API server around them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pcidevices.api.v1beta1 import FINALIZERS, GIVE_BACK_FINALIZER
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import decide
from pcidevices.domain.conditions import condition
from pcidevices.domain.decision import Decision
from pcidevices.errors import DeviceNotTaken, HardwareError
from tests.support.tiny_kernel import TinyKernel


NOW = "2026-03-04T05:06:07Z"


def decided(
    claim: Claim,
    kernel: TinyKernel,
    *,
    rivals: Iterable[Claim] = (),
    failure: HardwareError | None = None,
    tries: int = 0,
    now: str = NOW,
) -> Decision:
    """What the agent decides that looks now."""
    return decide(claim, kernel.sight(claim.address), rivals=rivals, now=now, failure=failure, tries=tries)


def told(claim: Claim, decision: Decision) -> Claim:
    """The claim once all that was decided is written."""
    finalizers = set(claim.finalizers) | ({GIVE_BACK_FINALIZER} if decision.hold else set())
    if decision.release:
        finalizers -= FINALIZERS
    return replace(claim, status=decision.status, finalizers=tuple(sorted(finalizers)))


def turn(
    claim: Claim, kernel: TinyKernel, *, rivals: Iterable[Claim] = (), tries: int = 0, before: Decision | None = None
) -> tuple[Claim, int, Decision]:
    """Look, record, take the steps; and when they are taken in vain, say so. Return the claim, and the failures."""
    decision = decided(claim, kernel, rivals=rivals, tries=tries)
    claim = told(claim, decision)
    try:
        if before is not None and decision.steps and decision.steps == before.steps:
            raise DeviceNotTaken("no driver took it")
        for step in decision.steps:
            kernel.do(step)
    except HardwareError as error:
        failed = decided(claim, kernel, rivals=rivals, failure=error, tries=tries + 1)
        return told(claim, failed), tries + 1, decision
    return claim, tries, decision


def settled(claim: Claim, kernel: TinyKernel, *, rivals: Iterable[Claim] = (), turns: int = 9) -> Claim:
    """Turn until there is nothing left to do."""
    tries, last = 0, None
    for _ in range(turns):
        before = claim
        claim, tries, last = turn(claim, kernel, rivals=rivals, tries=tries, before=last)
        if claim == before and not last.steps:
            break
    return claim


def deleted(claim: Claim) -> Claim:
    """Somebody deletes the claim."""
    return replace(claim, deleting=True)


def reason(claim: Claim, kind: str = "Ready") -> str:
    return condition(claim.status.conditions, kind).reason


def message(claim: Claim, kind: str = "Ready") -> str:
    return condition(claim.status.conditions, kind).message


def holds(claim: Claim, kind: str = "Ready") -> bool:
    return condition(claim.status.conditions, kind).status == "True"


def is_gone(claim: Claim) -> bool:
    """Nothing of ours keeps the claim."""
    return not claim.is_held
