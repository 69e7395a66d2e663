"""Decide how the device of a claim that is being deleted goes back to its original driver. Pure."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import PCIDeviceClaimStatus
from pcidevices.errors import DeviceNotTaken, DeviceUnreadable, HardwareError, WriteTimedOut

from .claim import Claim
from .conditions import Finding, with_findings
from .decision import LOOK_AGAIN_RARELY, LOOK_AGAIN_SOON, Decision
from .device import PciDevice
from .identity import identity_of, is_another, told
from .sight import Sight
from .steps import Bind, ClearOverride, LoadModule, Probe, Step, Unbind
from .takeover import is_the_ancestors, taken_over


ENOUGH_TRIES = 3
"""Deleting must be able to finish: after so many failures the device stays without a driver."""

_A_MOMENT = 0.1
"""Seconds: how long the kubelet takes to hear of a change."""


def give_back(
    claim: Claim, sight: Sight, *, is_owner: bool, now: str, failure: HardwareError | None, tries: int
) -> Decision:
    """
    Say what is left to do before *claim* can go.

    Nothing is unbound that somebody uses, that another claim has, or that is not the device that was claimed.
    """
    if not claim.is_held:
        return Decision(status=claim.status)
    claim = replace(claim, status=taken_over(claim.status, sight))
    if ending := _nothing_to_give_back(claim, sight, is_owner=is_owner):
        return Decision(status=claim.status, release=ending)
    device = sight.device
    if sight.write_under_way:
        hangs = f"{claim.address}: {sight.write_under_way} has not returned yet"
        return replace(_waits(claim, Finding("False", WriteTimedOut.reason, hangs), now), look_again=LOOK_AGAIN_RARELY)
    if not isinstance(device, PciDevice):
        if is_the_ancestors(claim.status):  # what it wrote must stay until the device can be identified
            return Decision(status=claim.status, look_again=LOOK_AGAIN_SOON)
        problem = device.problem if device else "not seen"
        return _waits(claim, Finding("False", DeviceUnreadable.reason, f"{claim.address}: {problem}"), now)
    return _of_seen(claim, sight, device, now=now, failure=failure, tries=tries)


def _nothing_to_give_back(claim: Claim, sight: Sight, *, is_owner: bool) -> Finding | None:
    claimed, device = claim.status.claimed, sight.device
    if claimed is None and not is_the_ancestors(claim.status):
        return Finding("True", Reason.GIVEN_BACK, "the device was never taken")
    if claim.node_system_uuid and sight.machine and claim.node_system_uuid.lower() != sight.machine:
        return Finding(
            "True", Reason.WRONG_MACHINE, "the claim was for another machine; this one's device is left alone"
        )
    if not is_owner:
        return Finding("True", Reason.CLAIMED_BY_ANOTHER, "another claim has the device")
    if device is None:
        gone = f"{claim.address} is not on this node any more; there is nothing to give back"
        return Finding("True", Reason.DEVICE_GONE, gone)
    if claimed is not None and isinstance(device, PciDevice) and is_another(identity_of(device), claimed):
        other = f"{claim.address} was {told(claimed)} and is {told(identity_of(device))} now; it was left alone"
        return Finding("True", Reason.DEVICE_CHANGED, other)
    return None


def _of_seen(
    claim: Claim, sight: Sight, device: PciDevice, *, now: str, failure: HardwareError | None, tries: int
) -> Decision:
    """The device is there, is the one that was claimed, and nothing of ours is under way."""
    has_arrived = device.driver is not None and (device.driver not in sight.vfio_drivers or claim.status.was_on_vfio)
    if has_arrived and not sight.is_silent:  # else an override may be left over that nobody sees again
        return _arrived(claim.status, sight, device)
    if user := _is_used(sight, device):
        return _waits(claim, user, now)
    if sight.is_advertised:
        withdrawing = Finding("False", Reason.WITHDRAWING, f"the kubelet is being told that {device.address} goes")
        return replace(_waits(claim, withdrawing, now), look_again=_A_MOMENT)
    if failure is not None:
        return _failed(claim, device, failure, tries=tries, now=now)
    if steps := _way_back(claim.status, sight, device, tries):
        return Decision(status=claim.status, steps=steps)
    back = Finding("True", Reason.GIVEN_BACK, f"{device.address} has no driver, as before it was claimed")
    return Decision(status=claim.status, release=back)


def _is_used(sight: Sight, device: PciDevice) -> Finding | None:
    if sight.is_silent:
        silent = f"the kernel does not answer for {device.address}; something else is being done to it"
        return Finding("False", Reason.DEVICE_SILENT, silent)
    if not sight.holders:
        return None
    who = "; ".join(dict.fromkeys(holder.text for holder in sight.holders))
    itself = any(holder.address == device.address for holder in sight.holders)
    what = f"{device.address}" if itself else f"IOMMU group {device.iommu_group} of {device.address}"
    return Finding("False", Reason.DEVICE_IN_USE, f"{what} is in use: {who}")


def _failed(claim: Claim, device: PciDevice, failure: HardwareError, *, tries: int, now: str) -> Decision:
    original = claim.status.kernel_driver_to_unbind
    if device.driver is None and tries >= ENOUGH_TRIES:
        left = f"{device.address} did not go back to {original} and has no driver now: {failure}"
        return Decision(status=claim.status, release=Finding("False", Reason.LEFT_WITHOUT_DRIVER, left))
    if isinstance(failure, DeviceNotTaken) and tries >= ENOUGH_TRIES:
        left = f"{device.address} was on {original}, and whenever it is free the kernel gives it to {device.driver}"
        return Decision(status=claim.status, release=Finding("False", Reason.GIVEN_TO_ANOTHER_DRIVER, left))
    return replace(_waits(claim, Finding("False", failure.reason, str(failure)), now), look_again=None)


def _arrived(status: PCIDeviceClaimStatus, sight: Sight, device: PciDevice) -> Decision:
    """The device is where it shall stay: with a driver of the host, or with those who had it on vfio before us."""
    if status.was_on_vfio and device.driver in sight.vfio_drivers:
        left = f"{device.address} stays on {device.driver}, where it was before it was claimed"
        return Decision(status=status, release=Finding("True", Reason.LEFT_ON_VFIO, left))
    if sight.override in sight.vfio_drivers:
        return Decision(status=status, steps=(ClearOverride(device.address),))
    if status.kernel_driver_to_unbind in {"", device.driver}:
        back = f"{device.address} is on {device.driver} again"
        return Decision(status=status, release=Finding("True", Reason.GIVEN_BACK, back))
    other = f"{device.address} was on {status.kernel_driver_to_unbind} and went to {device.driver}"
    return Decision(status=status, release=Finding("True", Reason.GIVEN_TO_ANOTHER_DRIVER, other))


def _way_back(status: PCIDeviceClaimStatus, sight: Sight, device: PciDevice, tries: int) -> tuple[Step, ...]:
    """From a vfio driver, or from none, to the original driver; the kernel chooses when that cannot have it."""
    address, original = device.address, status.kernel_driver_to_unbind
    clear = (ClearOverride(address),) if sight.override is not None else ()
    unbind = () if device.driver is None else (Unbind(address, device.driver),)
    last: tuple[Step, ...] = ()
    if original and original not in sight.drivers and tries < ENOUGH_TRIES - 1:
        last = (LoadModule(sight.modalias), Probe(address))
    elif original and tries:
        last = (Probe(address),)
    elif original:
        last = (Bind(address, original),)
    return (*clear, *unbind, *last)


def _waits(claim: Claim, finding: Finding, now: str) -> Decision:
    conditions = with_findings(
        claim.status.conditions, [("Ready", finding)], now=now, generation=claim.generation or None
    )
    status = msgspec.structs.replace(claim.status, conditions=conditions, passthrough_enabled=False)
    return Decision(status=status, look_again=LOOK_AGAIN_SOON)
