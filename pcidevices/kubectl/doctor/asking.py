"""Ask a node's agent for a fresh look at a device: through the object, with the right to patch it and no other."""

from __future__ import annotations

import secrets
import time

from typing import NamedTuple

import msgspec

from pcidevices.api.v1beta1 import LOOK, Look
from pcidevices.domain.diagnosis import Answer
from pcidevices.errors import KubectlFailed
from pcidevices.kubectl.objects import DEVICE_KIND, DEVICES, Device, read
from pcidevices.kubectl.transport import Kubectl, typed


_DECODER = msgspec.json.Decoder(Device)
_NONCE = 8
_REFUSALS = frozenset({"Forbidden", "Invalid"})
"""No right, or an admission policy says no."""


class Asked(NamedTuple):
    """What came of it."""

    answer: Answer
    words: str = ""
    device: Device | None = None
    """The object with the answer in it."""

    @property
    def look(self) -> Look | None:
        return None if self.device is None else self.device.status.look


def ask(name: str, kubectl: Kubectl, *, patience: float) -> Asked:
    """
    Ask, and wait for the answer as long as *patience* allows; without any nobody is asked.

    Who else asks meanwhile gets the same answer, and so do we: the agent looked after both had asked.
    """
    if patience <= 0:
        return Asked(Answer.UNWANTED, "it was not wanted (--fresh=false)")
    begun = time.monotonic()
    request = {"metadata": {"annotations": {LOOK: secrets.token_hex(_NONCE)}}}
    try:
        asked = _read(kubectl.merge_patch(DEVICE_KIND, name, request, flags=["--field-manager=kubectl-pci"]))
    except KubectlFailed as error:
        return Asked(Answer.REFUSED if error.word in _REFUSALS else Answer.FAILED, error.lines[-1])
    answered = asked if _is_answered(asked) else _awaited(asked, kubectl, patience)
    if answered is None:
        return Asked(Answer.SILENT)
    return Asked(Answer.ANSWERED, f" within {time.monotonic() - begun:.1f} s", answered)


def _read(raw: msgspec.Raw | bytes) -> Device:
    return read(raw, _DECODER) or typed(raw, Device)


def _awaited(asked: Device, kubectl: Kubectl, patience: float) -> Device | None:
    since = {"fieldSelector": f"metadata.name={asked.name}", "resourceVersion": asked.metadata.resource_version}
    with kubectl.watch(DEVICES, since, timeout=patience) as events:
        for event in events:
            if event.type == "MODIFIED" and _is_answered(device := _read(event.object)):
                return device
            if event.type in {"DELETED", "ERROR"}:
                break
    return None


def _is_answered(device: Device) -> bool:
    """Whether the object has the answer to what it asks now."""
    look = device.status.look
    return look is not None and look.request == (device.metadata.annotations or {}).get(LOOK)
