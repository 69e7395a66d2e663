"""An API server's PCIDevices, in memory: versions, conflicts, and a watch as late as a test wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from pcidevices.api.v1beta1 import NODE_LABEL, PCIDeviceStatus
from pcidevices.domain.published import Owner, PublishedDevice
from pcidevices.errors import Conflict, NotFound
from pcidevices.ports import Listing
from pcidevices.runtime.latest import Latest


class Cluster:
    """Implements the port `Devices`. Readers of `lists` see nothing of a write before `deliver`."""

    def __init__(self) -> None:
        self.objects: dict[str, PublishedDevice] = {}
        self.version = 100
        self._shown: Latest[Listing[PublishedDevice]] = Latest(Listing((), self.version))

    @property
    def listing(self) -> Listing[PublishedDevice]:
        """What the selector of the agents finds now."""
        return Listing(tuple(o for o in self.objects.values() if NODE_LABEL in o.labels), self.version)

    def deliver(self) -> None:
        """Let the watch catch up."""
        self._shown.set(self.listing)

    def put(self, device: PublishedDevice) -> PublishedDevice:
        """Somebody writes the object, whatever its version."""
        before = self.objects.get(device.name)
        if before is not None and replace(before, resource_version=device.resource_version) == device:
            return before  # a write that changes nothing is none
        self.version += 1
        self.objects[device.name] = written = replace(device, resource_version=str(self.version))
        return written

    def edit(self, name: str, **changes: Any) -> PublishedDevice:
        """Somebody changes these fields of the object."""
        return self.put(replace(self.objects[name], **changes))

    def drop(self, name: str) -> None:
        """Somebody deletes the object."""
        self.version += 1
        del self.objects[name]

    async def lists(self) -> AsyncIterator[Listing[PublishedDevice]]:
        async for listing in self._shown.values():
            yield listing

    async def read(self, name: str) -> PublishedDevice | None:
        return self.objects.get(name)

    async def create(self, name: str, *, labels: Mapping[str, str], owners: Sequence[Owner]) -> PublishedDevice:
        if name in self.objects:
            raise Conflict(f"{name} exists")
        return self.put(
            PublishedDevice(
                name=name,
                uid=f"uid-{self.version}",
                resource_version="",
                labels=dict(labels),
                owners=tuple(owners),
                status=PCIDeviceStatus(),
            )
        )

    async def write_metadata(
        self, device: PublishedDevice, *, labels: Mapping[str, str] | None, owners: Sequence[Owner] | None
    ) -> PublishedDevice:
        newest = self._newest(device)
        return self.put(
            replace(
                newest,
                labels={**newest.labels, **(labels or {})},
                owners=newest.owners if owners is None else tuple(owners),
            )
        )

    async def write_status(self, device: PublishedDevice, status: PCIDeviceStatus) -> PublishedDevice:
        newest = self._newest(device)
        stored = msgspec.json.decode(msgspec.json.encode(status), type=PCIDeviceStatus)
        return self.put(replace(newest, status=stored))

    async def delete(self, device: PublishedDevice) -> None:
        self._newest(device)
        self.drop(device.name)

    def _newest(self, device: PublishedDevice) -> PublishedDevice:
        newest = self.objects.get(device.name)
        if newest is None:
            raise NotFound(f"{device.name} does not exist")
        if (newest.uid, newest.resource_version) != (device.uid, device.resource_version):
            raise Conflict(f"{device.name} was written since")
        return newest
