"""How a resource's device plugin stands with the kubelet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One plugin, at this moment."""

    socket: str
    """Where it listens, or would."""
    socket_found: bool = False
    is_registered: bool = False
    """The kubelet has asked for the devices and listens to what becomes of them."""
    reason: str = ""
    """Why it is not registered, in one word; empty when no reason has one."""
    message: str = ""
    """The same for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSeen:
    """What the kubelet is offered of one device, and what it makes of that."""

    resource_name: str
    standing: Standing
    unhealthy: str | None = None
    """Why no pod can have the device, as the kubelet is told; None when it can."""
    offered: frozenset[str] = frozenset()
    """The ids of all devices that the plugin offers."""
