"""A cluster's KubeVirt objects and what nodes need of them, in memory: versions, conflicts, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from anyio.lowlevel import checkpoint

from pcidevices.domain.permitted import KubeVirt, Listed, Ours, Permission, Write
from pcidevices.errors import ClusterError, Conflict


class KubeVirts:
    """Implements the port `KubeVirts`, for one object unless a test puts more."""

    def __init__(self, listed: Listed = None, **facts: Any) -> None:
        one = KubeVirt(namespace="kubevirt", name="kubevirt", uid="1", resource_version="1", listed=listed, **facts)
        self.objects = [one]
        self.needed_elsewhere: set[Permission] = set()
        self.requests: list[str] = []
        self.trouble: ClusterError | None = None
        """Why everything is refused."""
        self.after: Callable[[str], None] = lambda _: None
        """Called when a request was answered, with its name."""

    @property
    def one(self) -> KubeVirt:
        (only,) = self.objects
        return only

    @property
    def entries(self) -> list[Any] | None:
        """The list as it stands; None where there is none, which allows everything."""
        return None if self.one.listed is None else list(self.one.listed["pciHostDevices"])

    @property
    def writes(self) -> int:
        return self.requests.count("write")

    def put(self, listed: Listed) -> None:
        """Somebody replaces the list, and nothing beside it."""
        self._put(self.one, listed=listed)

    async def find(self) -> Sequence[KubeVirt]:
        await self._begin("find")
        found = list(self.objects)
        self.after("find")
        return found

    async def write(self, kubevirt: KubeVirt, write: Write) -> KubeVirt:
        await self._begin("write")
        if kubevirt not in self.objects:
            raise Conflict(f"{kubevirt} was written since")
        listed = kubevirt.listed
        if write.is_new_list:
            listed = None if write.entries is None else {**(listed or {}), "pciHostDevices": list(write.entries)}
        written = self._put(kubevirt, listed=listed, ours=Ours.parse(write.ours.annotation))
        self.after("write")
        return written

    async def still_needed(self, permissions: Collection[Permission]) -> frozenset[Permission]:
        await self._begin("ask")
        needed = self.needed_elsewhere.intersection(permissions)
        self.after("ask")
        return frozenset(needed)

    async def _begin(self, what: str) -> None:
        await checkpoint()
        if self.trouble is not None:
            raise self.trouble
        self.requests.append(what)

    def _put(self, kubevirt: KubeVirt, **changes: Any) -> KubeVirt:
        written = replace(kubevirt, resource_version=str(int(kubevirt.resource_version) + 1), **changes)
        self.objects[self.objects.index(kubevirt)] = written
        return written
