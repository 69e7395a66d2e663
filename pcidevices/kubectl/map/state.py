"""In which state a device is, as far as the objects say; and how each state looks."""

from __future__ import annotations

from enum import Enum

from pcidevices.api.v1beta1 import PCIDeviceStatus


class State(Enum):
    """
    Of two that hold, the upper one is told.

    The value is the word that page, style and script share; the label is for a person.
    """

    GONE = "gone", "Gone or unreadable"
    USED = "used", "In use by a pod"
    READY = "ready", "Claimed and Ready"
    WAITING = "waiting", "Claimed but not Ready"
    NEEDED = "needed", "Needed by the host"
    UNCLAIMED = "unclaimed", "Unclaimed"

    def __init__(self, word: str, label: str) -> None:
        self.word = word
        self.label = label


LEGEND = (State.UNCLAIMED, State.READY, State.USED, State.WAITING, State.NEEDED, State.GONE)
"""From what can be had to what cannot."""

SPEAKING = frozenset({State.USED, State.WAITING, State.GONE})
"""Those whose note is told in their own colour: somebody may have to act."""


def state_of(status: PCIDeviceStatus, *, is_claimed: bool, is_ready: bool, is_needed: bool) -> State:
    """The state of a device, of the claim that has it, if there is one, and of the host that may need it."""
    if any(found.type == "Present" and found.status != "True" for found in status.conditions):
        return State.GONE
    if status.in_use_by:
        return State.USED
    if is_claimed:
        return State.READY if is_ready else State.WAITING
    return State.NEEDED if is_needed else State.UNCLAIMED
