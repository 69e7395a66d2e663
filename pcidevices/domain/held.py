"""Which container has which devices, as the kubelet says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class HeldDevice:
    """What one container has of one resource."""

    namespace: str
    pod: str
    container: str
    resource_name: str
    ids: tuple[str, ...]
    """Each once, in order."""
