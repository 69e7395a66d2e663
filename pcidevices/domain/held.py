"""Which container has which devices, as the kubelet says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class HeldDevice:
    """What one container has of one resource."""

    namespace: str
    pod: str
    """Empty, as the namespace is, when the kubelet has given the devices away and does not name the pod now."""
    container: str
    resource_name: str
    ids: tuple[str, ...]
    """Each once, in order."""

    @property
    def holder(self) -> str:
        """Who has it, for a person."""
        return f"pod {self.namespace}/{self.pod}" if self.pod else "a pod that the kubelet does not name now"
