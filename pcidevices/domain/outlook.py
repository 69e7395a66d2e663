"""What becomes of a claimed device beyond this program, as far as that is known."""

from __future__ import annotations

from typing import NamedTuple

from .conditions import Finding


class Outlook(NamedTuple):
    """What stands between a device on its vfio driver and a virtual machine."""

    refused: Finding | None = None
    """Why it cannot be offered to the kubelet under its name."""
    permitted: Finding | None = None
    """Whether KubeVirt lets its resource through; None while nobody has looked."""
