"""What the suite needs of a kubelet, and the words its tests are written in."""

from __future__ import annotations

import secrets

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.support.deviceplugin import Listed, Plugin
from tests.support.kubeletcalls import Refused, allocatable, holders
from tests.support.waiting import until


THREE = {name: Listed() for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0")}
ALL = set(THREE)


@dataclass(frozen=True, slots=True)
class SeenPod:
    """What became of a pod. What its container was given is empty when there was none."""

    phase: str
    reason: str
    message: str
    given: frozenset[str]
    nodes: frozenset[tuple[str, str, str]]
    """Host path, container path, permissions."""


class Kubelet(Protocol):
    """A simulated kubelet or a real one. *patience* is how long it dials a plugin."""

    device_plugins: Path
    pod_resources: Path
    patience: float

    async def pod(self, name: str, resource: str, count: int) -> SeenPod: ...

    async def remove(self, name: str) -> None: ...

    async def counts(self, resource: str) -> tuple[int, int] | None: ...

    async def restart(self, *, with_api: bool = True) -> None: ...

    async def api_comes_back(self) -> None: ...


@dataclass(eq=False, slots=True)
class World:
    """A kubelet, and a resource that no other test has."""

    kubelet: Kubelet
    resource: str
    _stack: AsyncExitStack
    _pods: set[str] = field(default_factory=set)

    @property
    def socket(self) -> Path:
        return self.kubelet.device_plugins / "kubelet.sock"

    def plugin(self, *, resource: str | None = None) -> Plugin:
        """One that listens on a socket of its own, and has three healthy devices."""
        path = self.kubelet.device_plugins / f"{secrets.token_hex(4)}.sock"
        plugin = Plugin(path, resource or self.resource, THREE).listen()
        self._stack.push_async_callback(plugin.close)
        return plugin

    async def registered(self, *, resource: str | None = None) -> Plugin:
        """A plugin whose devices the kubelet has."""
        plugin = self.plugin(resource=resource)
        await plugin.register(self.socket)
        await self.sees(ALL, resource=resource)
        return plugin

    async def allocatable(self) -> set[str]:
        return await allocatable(self.kubelet.pod_resources, self.resource)

    async def sees(self, ids: set[str], *, resource: str | None = None) -> None:
        """Wait until these devices can be allocated."""
        await until(lambda: allocatable(self.kubelet.pod_resources, resource or self.resource), ids)

    async def counts_as(self, capacity: int, allocatable: int) -> None:
        """Wait until the node's status says so."""

        async def now() -> tuple[int, int]:
            return await self.kubelet.counts(self.resource) or (-1, -1)

        await until(now, (capacity, allocatable))

    async def streams(self, plugin: Plugin, count: int) -> None:
        """Wait until the kubelet has so many streams of a plugin open."""

        async def now() -> int:
            return plugin.streams

        await until(now, count)

    async def pod(self, *, count: int = 1) -> tuple[str, SeenPod]:
        """A new pod that asks for devices, by its name, and what becomes of it."""
        name = f"pod-{secrets.token_hex(4)}"
        seen = await self.kubelet.pod(name, self.resource, count)
        self._pods.add(name)
        return name, seen

    async def remove(self, name: str) -> None:
        """Let a pod end."""
        self._pods.remove(name)
        await self.kubelet.remove(name)

    async def remove_all(self) -> None:
        """Let all pods end."""
        for name in tuple(self._pods):
            await self.remove(name)

    async def is_held(self, ids: dict[str, set[str]]) -> None:
        """Wait until these pods hold these devices."""
        await until(self.holders, ids)

    async def holders(self) -> dict[str, set[str]]:
        """Pods that hold something of the resource."""
        named = await holders(self.kubelet.pod_resources, self.resource)
        return {name: ids for name, ids in named.items() if ids}


@asynccontextmanager
async def world_of(kubelet: Kubelet) -> AsyncIterator[World]:
    """A world whose plugins and pods are gone when the block is left."""
    async with AsyncExitStack() as stack:
        world = World(kubelet, f"{secrets.token_hex(4)}.example/gpu", stack)
        stack.push_async_callback(world.remove_all)
        yield world


async def refusal(call: Awaitable[None]) -> tuple[str, str]:
    """With which status and text the kubelet refused; empty when it did not."""
    try:
        await call
    except Refused as refused:
        return refused.status, str(refused)
    return "", ""
