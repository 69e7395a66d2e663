"""What a claim tells of the kubelet and of KubeVirt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import decide
from pcidevices.domain.conditions import Finding, condition
from pcidevices.domain.outlook import Outlook
from tests.support.builders import a_claim, a_gpu
from tests.support.tiny_kernel import TinyKernel

from .claim_turns import NOW, holds, reason


TAKEN = Finding("False", "ResourceNameTaken", "a.com/x and a.com/X, which was claimed before, are one")
PERMITTED = Finding("True", "Permitted", "KubeVirt lets virtual machines have it")
WITHOUT_KUBEVIRT = Finding("Unknown", "KubeVirtNotFound", "there is no KubeVirt in the cluster")


def on_vfio() -> TinyKernel:
    return TinyKernel(a_gpu(driver="vfio-pci"), knows=("nvidia",), drivers={"nvidia", "vfio-pci"})


def told(claim: Claim, *, rivals: tuple[Claim, ...] = (), **outlook: Finding) -> Claim:
    """The claim once what is known is written."""
    decision = decide(claim, on_vfio().sight(claim.address), rivals=rivals, outlook=Outlook(**outlook), now=NOW)
    return replace(claim, status=decision.status)


def kinds(claim: Claim) -> set[str]:
    return {c.type for c in claim.status.conditions}


def test_a_device_that_cannot_be_offered_is_bound_and_not_ready() -> None:
    claim = told(a_claim(), refused=TAKEN)

    assert (reason(claim), holds(claim, "Bound")) == ("ResourceNameTaken", True)
    assert condition(claim.status.conditions, "Ready").message == TAKEN.message
    assert not claim.status.passthrough_enabled
    assert holds(told(claim))


def test_what_keeps_the_device_from_being_bound_is_told_first() -> None:
    older = a_claim(name="older", uid="older", created="2026-01-01T00:00:00Z")
    claim = told(a_claim(created="2026-01-02T00:00:00Z"), rivals=(older,), refused=TAKEN)

    assert reason(claim) == "ClaimedByAnother"


@pytest.mark.parametrize(
    "finding",
    [
        PERMITTED,
        Finding("True", "FeatureGateOff", "gpus only"),
        Finding("False", "NotPermitted", "somebody takes it out"),
        Finding("False", "ConflictingPermission", "it is listed otherwise"),
        Finding("Unknown", "Forbidden", "may not look"),
    ],
)
def test_what_kubevirt_says_is_told_and_ready_does_not_depend_on_it(finding: Finding) -> None:
    claim = told(a_claim(), permitted=finding)

    permitted = condition(claim.status.conditions, "Permitted")
    assert (permitted.status, permitted.reason, permitted.message) == finding
    assert holds(claim, "Ready")
    assert claim.status.passthrough_enabled


def test_without_kubevirt_nothing_is_told_of_it() -> None:
    assert "Permitted" not in kinds(told(a_claim(), permitted=WITHOUT_KUBEVIRT))


def test_that_kubevirt_is_no_more_is_told_to_whom_it_was_told_of() -> None:
    claim = told(told(a_claim(), permitted=PERMITTED), permitted=WITHOUT_KUBEVIRT)

    assert reason(claim, "Permitted") == "KubeVirtNotFound"


def test_what_was_told_stays_until_somebody_has_looked() -> None:
    """After a start nothing is known, and nothing is written."""
    claim = told(a_claim(), permitted=PERMITTED)

    assert told(claim) == claim


def test_a_claim_that_may_not_have_its_device_asks_nothing_of_kubevirt() -> None:
    permitted = told(a_claim(created="2026-01-02T00:00:00Z"), permitted=PERMITTED)
    older = a_claim(name="older", uid="older", created="2026-01-01T00:00:00Z", status=permitted.status)

    assert "Permitted" not in kinds(told(permitted, rivals=(older,), permitted=PERMITTED))
