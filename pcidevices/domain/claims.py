"""
Decide what a claim needs next. Pure: values in, values out, no clock, no I/O.

The order of things is the promise: what is needed to undo a step is on the API server before the step
is taken, and nothing is said of the world that was not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import Condition, PCIDeviceClaimStatus
from pcidevices.errors import DeviceNotFound, DeviceUnreadable, HardwareError, WriteTimedOut

from .claim import Claim
from .conditions import Finding, with_findings
from .decision import LOOK_AGAIN_LATER, LOOK_AGAIN_RARELY, LOOK_AGAIN_SOON, Decision
from .device import PciDevice, Unreadable
from .giveback import give_back
from .identity import identity_of, is_another, told
from .outlook import Outlook
from .protection import blockers, in_use_below, is_allowed_by_name, listed, protections, why_never
from .sight import Sight
from .steps import Bind, ClearOverride, LoadModule, SetOverride, Step, Unbind
from .takeover import host_driver, is_the_ancestors


READY, ALLOWED, BOUND, GROUP_VIABLE, PERMITTED = "Ready", "Allowed", "Bound", "GroupViable", "Permitted"
_NOTHING_KNOWN = Outlook()
_MAY_END = frozenset({Reason.DEVICE_PROTECTED, Reason.DEVICE_IN_USE, DeviceUnreadable.reason})
"""Objections of which nobody tells us that they hold no more."""


def decide(
    claim: Claim,
    sight: Sight,
    *,
    rivals: Iterable[Claim] = (),
    outlook: Outlook = _NOTHING_KNOWN,
    now: str,
    failure: HardwareError | None = None,
    tries: int = 0,
) -> Decision:
    """
    Compare what *claim* asks with what is seen, and say what comes next.

    *rivals* are the other claims for the device; *outlook* is what is known of the kubelet and KubeVirt; *failure* is
    why the step before could not be taken, in which case no other is asked for; *tries* counts the failures of giving
    the device back.
    """
    owner = owner_of([claim, *rivals])
    if claim.deleting:
        return give_back(claim, sight, is_owner=owner is claim, now=now, failure=failure, tries=tries)
    device = sight.device
    allowed = _allowed(claim, sight, owner)
    viable = _viable(sight)
    if not allowed.holds or not isinstance(device, PciDevice):
        refused = _told(claim, claim.status, (allowed, allowed, viable), _NOTHING_KNOWN, now=now)
        return replace(refused, look_again=LOOK_AGAIN_LATER if allowed.reason in _MAY_END else None)
    record = _record(claim.status, sight, device)
    bound, steps = _bound(record, sight, device)
    if failure is not None:
        steps = ()
        bound = bound if bound.holds or sight.write_under_way else Finding("False", failure.reason, str(failure))
    decision = _told(claim, record, (allowed, bound, viable), outlook, now=now)
    waits = not bound.holds and not steps and (failure is None or sight.write_under_way)
    pause = LOOK_AGAIN_RARELY if sight.write_under_way else LOOK_AGAIN_SOON
    return replace(decision, steps=steps, hold=True, look_again=pause if waits else None)


def owner_of(claims: Iterable[Claim]) -> Claim:
    """
    Which of the claims for one device has it: who has taken it, else who came first.

    One that has given it back already, and only waits for the finalizers of others, does not count.
    """
    claims = list(claims)
    if len(claims) == 1:
        return claims[0]
    running = [c for c in claims if c.is_held or not c.deleting] or claims
    return min(running, key=lambda c: (not _is_taken(c.status), c.created, c.uid))


def _is_taken(status: PCIDeviceClaimStatus) -> bool:
    return status.claimed is not None or is_the_ancestors(status)


def _allowed(claim: Claim, sight: Sight, owner: Claim) -> Finding:
    """Whether this claim may have this device: the first objection, if there is any."""
    device = sight.device
    objection = _another_owns_it(claim, owner) or _is_for_another_machine(claim, sight)
    if objection is None and not isinstance(device, PciDevice):
        return _not_seen(claim, device)
    if objection is None and isinstance(device, PciDevice):
        objection = _cannot_be_claimed(device) or _is_another(claim, device) or _is_needed(claim, sight, device)
    return objection or Finding("True", Reason.ALLOWED, "the host does not use the device")


def _another_owns_it(claim: Claim, owner: Claim) -> Finding | None:
    if owner is claim:
        return None
    return Finding("False", Reason.CLAIMED_BY_ANOTHER, f"claim {owner.name} was there before; delete one of the two")


def _is_for_another_machine(claim: Claim, sight: Sight) -> Finding | None:
    wanted = claim.node_system_uuid
    if not wanted or wanted.lower() == sight.machine or sight.saw_nothing:
        return None
    seen = f"has the system UUID {sight.machine}" if sight.machine else "does not tell its system UUID"
    return Finding("False", Reason.WRONG_MACHINE, f"the claim is for {wanted}, this machine {seen}")


def _not_seen(claim: Claim, device: Unreadable | None) -> Finding:
    if device is None:
        where = f"there is nothing at {claim.address} on this node"
        return Finding("Unknown", DeviceNotFound.reason, f"{where}; put the device back or delete the claim")
    return Finding("Unknown", DeviceUnreadable.reason, f"{claim.address}: {device.problem}")


def _cannot_be_claimed(device: PciDevice) -> Finding | None:
    never = why_never(device)
    return Finding("False", Reason.NOT_CLAIMABLE, f"{never}; nothing can allow it") if never else None


def _is_another(claim: Claim, device: PciDevice) -> Finding | None:
    claimed, seen = claim.status.claimed, identity_of(device)
    if claimed is None or not is_another(seen, claimed):
        return None
    was_and_is = f"{claim.address} was {told(claimed)} when it was claimed and is {told(seen)} now"
    what_to_do = "put the claimed device back, or delete the claim and claim this one"
    return Finding("False", Reason.DEVICE_CHANGED, f"{was_and_is}; {what_to_do}")


def _is_needed(claim: Claim, sight: Sight, device: PciDevice) -> Finding | None:
    """Whether the host, or a virtual machine, would miss the device; the host has none that is on a vfio driver."""
    if device.driver in sight.vfio_drivers:
        return None
    if used := in_use_below(sight):
        return Finding("False", Reason.DEVICE_IN_USE, f"{device.address}: {used}; release them first")
    uses = protections(sight, device)
    if uses and is_allowed_by_name(claim):
        return Finding("True", Reason.PROTECTION_OVERRIDDEN, f"allowed by annotation, although {listed(uses)}")
    return Finding("False", Reason.DEVICE_PROTECTED, listed(uses)) if uses else None


def _record(status: PCIDeviceClaimStatus, sight: Sight, device: PciDevice) -> PCIDeviceClaimStatus:
    """*status* with all that giving the device back will need: who it is, and whose it was."""
    seen = identity_of(device)
    before = status.claimed
    known = before is not None and (before.serial_number is not None or seen.serial_number is None)
    original = host_driver(status, sight)
    on_vfio = device.driver in sight.vfio_drivers
    if device.driver is not None and not on_vfio:
        original = original or device.driver
    return msgspec.structs.replace(
        status,
        claimed=before if known else seen,
        kernel_driver_to_unbind=original,
        was_on_vfio=on_vfio and not original and (before is None or status.was_on_vfio),
    )


def _bound(record: PCIDeviceClaimStatus, sight: Sight, device: PciDevice) -> tuple[Finding, tuple[Step, ...]]:
    """Whether the device is on its vfio driver, and if not, the steps that take it there."""
    address = device.address
    if sight.write_under_way:
        return Finding("False", WriteTimedOut.reason, f"{address}: {sight.write_under_way} has not returned yet"), ()
    if device.driver in sight.vfio_drivers:
        left_over = sight.override in sight.vfio_drivers and not record.was_on_vfio
        clear: tuple[Step, ...] = (ClearOverride(address),) if left_over else ()
        return Finding("True", Reason.BOUND, f"{address} is on {device.driver}"), clear
    if silence := _silence(record, sight, device):
        return Finding("False", Reason.DEVICE_SILENT, silence), ()
    if device.driver is None and (holder := next((h for h in sight.holders if h.address == address), None)):
        return Finding("False", Reason.DEVICE_IN_USE, f"{address} is still held: {holder.text}"), ()
    if device.iommu_group is None:
        return Finding("False", Reason.NO_IOMMU_GROUP, f"{address} has no IOMMU group; is the IOMMU on?"), ()
    return Finding("False", Reason.BINDING, f"{address} is on its way to a vfio driver"), _to_vfio(sight, device)


def _silence(record: PCIDeviceClaimStatus, sight: Sight, device: PciDevice) -> str | None:
    """Why too little is known of the device to do anything to it."""
    if sight.is_silent:
        return f"the kernel does not answer for {device.address}; something else is being done to it"
    if sight.serial_is_unanswered and record.claimed and record.claimed.serial_number:
        return f"{device.address} does not tell its serial number, by which it would be known; it may be another card"
    return None


def _to_vfio(sight: Sight, device: PciDevice) -> tuple[Step, ...]:
    address, driver = device.address, sight.vfio.expected_name
    load = () if sight.vfio.name else (LoadModule(sight.vfio.module),)
    unbind = () if device.driver is None else (Unbind(address, device.driver),)
    return (*load, SetOverride(address, driver), *unbind, Bind(address, driver), ClearOverride(address))


def _viable(sight: Sight) -> Finding:
    """Whether a virtual machine could have the device, as far as its IOMMU group is concerned."""
    device = sight.device
    if not isinstance(device, PciDevice):
        reason = DeviceNotFound.reason if device is None else DeviceUnreadable.reason
        return Finding("Unknown", reason, "the device is not seen")
    if device.iommu_group is None:
        return Finding("False", Reason.NO_IOMMU_GROUP, f"{device.address} has no IOMMU group; is the IOMMU on?")
    group = f"IOMMU group {device.iommu_group}"
    if others := blockers(sight):
        what_to_do = "claim it too, or take its driver away"
        return Finding("False", Reason.GROUP_NOT_VIABLE, f"{group} is shared: {listed(others)}; {what_to_do}")
    return Finding("True", Reason.VIABLE, f"nothing else in {group} is on a driver of the host")


def _told(
    claim: Claim,
    status: PCIDeviceClaimStatus,
    found: tuple[Finding, Finding, Finding],
    outlook: Outlook,
    *,
    now: str,
) -> Decision:
    """The status that says all this; `Ready` takes its reason from the first that does not hold."""
    failing = next((finding for finding in (*found, outlook.refused) if finding and not finding.holds), None)
    ready = (
        Finding("False", failing.reason, failing.message)
        if failing
        else Finding("True", Reason.READY, f"virtual machines can have {claim.address}")
    )
    findings = [(READY, ready), *zip((ALLOWED, BOUND, GROUP_VIABLE), found, strict=True)]
    before = status.conditions
    if found[0].status == "False":  # nothing is asked of KubeVirt then
        before = tuple(c for c in before if c.type != PERMITTED)
    if outlook.permitted is not None and _is_worth_telling(outlook.permitted, before):
        findings.append((PERMITTED, outlook.permitted))
    conditions = with_findings(before, findings, now=now, generation=claim.generation or None)
    return Decision(
        status=msgspec.structs.replace(status, conditions=conditions, passthrough_enabled=ready.holds),
    )


def _is_worth_telling(permitted: Finding, before: tuple[Condition, ...]) -> bool:
    """Where there is no KubeVirt nobody asks for it; but that there is none any more is news."""
    return permitted.reason != Reason.KUBEVIRT_NOT_FOUND or any(c.type == PERMITTED for c in before)
