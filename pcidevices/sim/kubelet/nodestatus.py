"""What the kubelet reports of devices to the API server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anyio import sleep

from .kubelet import SimulatedKubelet


async def report(
    kubelet: SimulatedKubelet, patch: Callable[[Mapping[str, Any]], object], *, every: float = 10.0
) -> None:
    """
    Write a change to the node's status, and look again *every* so many seconds, until cancelled.

    *patch* takes a JSON merge patch of the Node: ``lambda change: server.patch("nodes", name, change)``.
    """
    written: Mapping[str, tuple[int, int]] = {}
    while True:
        now = kubelet.status()
        if now != written:
            capacity = {resource: str(counts.capacity) for resource, counts in now.items()}
            allocatable = {resource: str(counts.allocatable) for resource, counts in now.items()}
            patch({"status": {"capacity": capacity, "allocatable": allocatable}})
            written = now
        await sleep(every)
