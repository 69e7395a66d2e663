"""The kubelet of this node: its plugins' folder, and what it says of its pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from weakref import WeakSet

from anyio import to_thread

from pcidevices.domain.held import HeldDevice
from pcidevices.domain.offer import Offer
from pcidevices.errors import KubeletAway
from pcidevices.runtime.latest import Latest

from .checkpoint import given_away
from .lifetime import DevicePlugin
from .podresources import PodResources


class LocalKubelet:
    """
    Implements the port `Kubelet` for the kubelet whose folder is *root*.

    No answer is told from "nobody has it", and a folder that is not there is no answer. A kubelet that has just started
    names no pods but static ones until it has heard of the others from the API server. So what its checkpoint names,
    which survives, is held as well.

    The checkpoint may be behind: the kubelet notices that pods have ended when it is asked who has what, and writes
    that down at the next occasion, which may never come. A plugin that tells of its devices is one. So whoever is
    told of a holder without a name has to ask again, and hears the truth then.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "device-plugins"
        self._socket = root / "pod-resources/kubelet.sock"
        self._resources = PodResources(self._socket)
        self._plugins: WeakSet[DevicePlugin] = WeakSet()

    def plugin(self, offers: Latest[Offer]) -> DevicePlugin:
        plugin = DevicePlugin(offers, folder=self._folder)
        self._plugins.add(plugin)
        return plugin

    async def held(self) -> tuple[HeldDevice, ...]:
        named = await self._resources.held() if await to_thread.run_sync(self._is_there) else ()
        # In this order: what is given away in between is in the checkpoint.
        written = await to_thread.run_sync(given_away, self._folder)
        if unnamed := tuple(_unnamed(written, named)):
            for plugin in self._plugins:
                plugin.tell_again()
        return (*named, *unnamed)

    def _is_there(self) -> bool:
        """Whether there is a socket; where there is none the checkpoint alone tells, and names what all pods have."""
        try:
            self._socket.lstat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise KubeletAway(f"{self._socket} cannot be found: {error.strerror}") from error
        return True

    async def allocatable(self) -> Mapping[str, frozenset[str]]:
        return await self._resources.allocatable()


def _unnamed(written: tuple[HeldDevice, ...], named: tuple[HeldDevice, ...]) -> Iterator[HeldDevice]:
    """What is written down and has no name: containers have parts of a resource that others have, too."""
    known = {(one.resource_name, name) for one in named for name in one.ids}
    for one in written:
        ids = tuple(name for name in one.ids if (one.resource_name, name) not in known)
        if ids:
            yield replace(one, ids=ids)
