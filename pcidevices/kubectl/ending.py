"""What became of the device of a claim that is gone: a claim goes, too, when its device did not find back."""

from __future__ import annotations

import time

from typing import NamedTuple

import msgspec

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import is_vfio_name
from pcidevices.errors import KubectlFailed

from .objects import DEVICES, Claim, Device, read
from .transport import Kubectl


PATIENCE = 3.0
"""Seconds that the agent has to publish the driver: the claim goes first."""
_PAUSE = 0.25
_DECODER = msgspec.json.Decoder(Device)


class Ending(NamedTuple):
    """What to say, and whether the device is where it belongs; None where that cannot be told."""

    words: str
    holds: bool | None


def ending(kubectl: Kubectl, claim: Claim, *, patience: float = PATIENCE) -> Ending:
    """How it ended for *claim*, as it was last seen; the PCIDevice tells which driver has the device now."""
    status = claim.status
    if status.claimed is None and not status.kernel_driver_to_unbind:
        return Ending("given back", holds=True)  # it was never taken
    deadline = time.monotonic() + patience
    while True:
        try:
            driver = _driver(kubectl, claim)
        except KubectlFailed as error:
            if error.word == "NotFound":
                return Ending("gone; its device has no object, and may not be there any more", holds=None)
            return Ending(f"gone; which driver has its device cannot be seen: {error.lines[-1]}", holds=None)
        if _is_back(driver, claim):
            return Ending(f"given back: it stays on {driver}" if status.was_on_vfio else "given back", holds=True)
        if time.monotonic() >= deadline:
            return _elsewhere(driver, claim)
        time.sleep(_PAUSE)


def _driver(kubectl: Kubectl, claim: Claim) -> str:
    name = PciAddress.parse(claim.spec.address).object_name(claim.spec.node_name)
    path = f"{DEVICES}/{name}"
    device = read(kubectl.get(path, into=msgspec.Raw), _DECODER)
    if device is None or not device.status.address:  # no status is no word of a driver
        raise KubectlFailed((f"{path} says nothing of it",), status=1)
    return device.status.kernel_driver_in_use or ""


def _is_back(driver: str, claim: Claim) -> bool:
    original = claim.status.kernel_driver_to_unbind
    if claim.status.was_on_vfio:
        return is_vfio_name(driver)
    return driver == original or (not original and not is_vfio_name(driver))


def _elsewhere(driver: str, claim: Claim) -> Ending:
    original = claim.status.kernel_driver_to_unbind or "no driver"
    why = f"kubectl get events --field-selector involvedObject.name={claim.name}"
    if not driver:
        return Ending(f"gone, but its device was on {original} and has no driver now; why: {why}", holds=False)
    return Ending(f"gone; its device was on {original} and is on {driver}; why: {why}", holds=None)
