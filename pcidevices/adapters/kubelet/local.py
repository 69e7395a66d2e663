"""The kubelet of this node: its plugins' folder, and what it says of its pods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anyio import to_thread

from pcidevices.domain.held import HeldDevice
from pcidevices.domain.offer import Offer
from pcidevices.errors import KubeletAway
from pcidevices.runtime.latest import Latest

from .checkpoint import given_away
from .lifetime import DevicePlugin
from .podresources import Listed, PodResources


class LocalKubelet:
    """
    Implements the port `Kubelet` for the kubelet whose folder is *root*.

    No answer is told from "nobody has anything": a kubelet that has just started names no pod at all until it has
    heard of its pods from the API server. Then its checkpoint, which survives, must not name anything either.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "device-plugins"
        self._socket = root / "pod-resources/kubelet.sock"
        self._resources = PodResources(self._socket)

    def plugin(self, offers: Latest[Offer]) -> DevicePlugin:
        return DevicePlugin(offers, folder=self._folder)

    async def held(self) -> tuple[HeldDevice, ...]:
        there_is_one = await to_thread.run_sync(self._socket.exists)
        listed = await self._resources.listed() if there_is_one else Listed(0, ())
        if listed.pods == 0 and (ids := await to_thread.run_sync(given_away, self._folder)):
            names = ", ".join(sorted(ids)[:3])
            raise KubeletAway(f"it names no pod at all, and its checkpoint says that somebody has {names}")
        return listed.held

    async def allocatable(self) -> Mapping[str, frozenset[str]]:
        return await self._resources.allocatable()
