"""What is decided about a claim."""

from __future__ import annotations

from dataclasses import dataclass

from pcidevices.api.v1beta1 import PCIDeviceClaimStatus

from .conditions import Finding
from .steps import Step


LOOK_AGAIN_SOON = 2.0
"""Seconds: the world does not always say when what is waited for has come."""
LOOK_AGAIN_LATER = 5.0
"""Seconds: likewise, for what the host does with a device. The kernel tells nobody of an unmount; it may take days."""
LOOK_AGAIN_RARELY = 30.0
"""Seconds, where a step has not returned: that it has is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    What comes next: *status* is to be told, and its record is to be there before the *steps* are taken.

    When there is nothing to do but wait for something that nobody announces, *look_again* says for how
    many seconds.
    """

    status: PCIDeviceClaimStatus
    hold: bool = False
    """Our finalizer must be on the claim before anything else."""
    steps: tuple[Step, ...] = ()
    release: Finding | None = None
    """Our finalizer can go from the claim; and how it ended."""
    look_again: float | None = None
