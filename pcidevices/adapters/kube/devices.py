"""PCIDevices on the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from pcidevices.api.v1beta1 import API_VERSION, NODE_LABEL, PCIDeviceStatus
from pcidevices.domain.mergepatch import merge_patch
from pcidevices.domain.published import Owner, PublishedDevice, node_label
from pcidevices.errors import NotFound, Refused
from pcidevices.ports import Listing
from pcidevices.runtime.pulse import Pulse

from .client import MERGE_PATCH, KubeClient
from .objects import owner_references, published_device
from .reflector import Reflector
from .translate import understood


_PATH = f"/apis/{API_VERSION}/pcidevices"


class KubeDevices:
    """Implements the port `Devices`."""

    def __init__(self, client: KubeClient, node_name: str, *, pulse: Pulse | None = None) -> None:
        self._client = client
        self._node_name = node_name
        self._pulse = pulse or Pulse()

    def lists(self) -> AsyncIterator[Listing[PublishedDevice]]:
        return Reflector(
            client=self._client,
            path=_PATH,
            selector=("labelSelector", f"{NODE_LABEL}={node_label(self._node_name)}"),
            decode=lambda raw: published_device(raw, self._node_name),
            pulse=self._pulse,
        ).lists()

    async def read(self, name: str) -> PublishedDevice | None:
        try:
            return self._decode(await self._client.request("GET", f"{_PATH}/{name}"))
        except NotFound:
            return None

    async def create(self, name: str, *, labels: Mapping[str, str], owners: Sequence[Owner]) -> PublishedDevice:
        metadata: dict[str, Any] = {"name": name, "labels": dict(labels)}
        if owners:
            metadata["ownerReferences"] = owner_references(owners)
        body = {"apiVersion": API_VERSION, "kind": "PCIDevice", "metadata": metadata, "spec": {}}
        return self._decode(await self._client.request("POST", _PATH, body=body))

    async def write_metadata(
        self, device: PublishedDevice, *, labels: Mapping[str, str] | None, owners: Sequence[Owner] | None
    ) -> PublishedDevice:
        metadata: dict[str, Any] = {}
        if labels is not None:
            metadata["labels"] = dict(labels)
        if owners is not None:
            metadata["ownerReferences"] = owner_references(owners)
        return await self._patch(device, "", {"metadata": metadata})

    async def write_status(self, device: PublishedDevice, status: PCIDeviceStatus) -> PublishedDevice:
        before = device.misshapen_status or msgspec.to_builtins(device.status)
        differs = merge_patch(before, msgspec.to_builtins(status))
        return await self._patch(device, "/status", {"status": differs})

    async def delete(self, device: PublishedDevice) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": device.uid, "resourceVersion": device.resource_version},
        }
        await self._client.request("DELETE", f"{_PATH}/{device.name}", body=body)

    async def _patch(self, device: PublishedDevice, subresource: str, body: dict[str, Any]) -> PublishedDevice:
        # With the version that was read the server answers 409 if it is not the newest any more.
        body.setdefault("metadata", {})["resourceVersion"] = device.resource_version
        path = f"{_PATH}/{device.name}{subresource}"
        return self._decode(await self._client.request("PATCH", path, body=body, content_type=MERGE_PATCH))

    def _decode(self, body: bytes) -> PublishedDevice:
        with understood("PCIDevice"):
            device = published_device(body, self._node_name)
        if device is None:
            raise Refused(f"the API server answered with an object that is not node {self._node_name}'s")
        return device
