"""PCIDeviceClaims on the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from pcidevices.api.v1beta1 import API_VERSION, FINALIZERS, GIVE_BACK_FINALIZER, PCIDeviceClaimStatus
from pcidevices.domain.claim import Claim
from pcidevices.domain.mergepatch import merge_patch
from pcidevices.errors import Refused
from pcidevices.ports import Listing
from pcidevices.runtime.pulse import Pulse

from .client import MERGE_PATCH, KubeClient
from .objects import claim
from .reflector import Reflector
from .translate import understood


_PATH = f"/apis/{API_VERSION}/pcideviceclaims"


class KubeClaims:
    """Implements the port `Claims`."""

    def __init__(self, client: KubeClient, node_name: str, *, pulse: Pulse | None = None) -> None:
        self._client = client
        self._node_name = node_name
        self._pulse = pulse or Pulse()

    def lists(self) -> AsyncIterator[Listing[Claim]]:
        return Reflector(
            client=self._client,
            path=_PATH,
            # A selectable field of the definition, from Kubernetes 1.31 on (KEP-4358).
            selector=("fieldSelector", f"spec.nodeName={self._node_name}"),
            decode=lambda raw: claim(raw, self._node_name),
            pulse=self._pulse,
        ).lists()

    async def hold(self, claim: Claim) -> Claim:
        finalizers = dict.fromkeys([*claim.finalizers, GIVE_BACK_FINALIZER])
        return self._decode(await self._write_finalizers(claim, [*finalizers]))

    async def write_status(self, claim: Claim, status: PCIDeviceClaimStatus) -> Claim:
        before = claim.misshapen_status or msgspec.to_builtins(claim.status)
        differs = merge_patch(before, msgspec.to_builtins(status))
        return self._decode(await self._patch(claim, "/status", {"status": differs}))

    async def release(self, claim: Claim) -> None:
        await self._write_finalizers(claim, [name for name in claim.finalizers if name not in FINALIZERS])

    async def _write_finalizers(self, claim: Claim, finalizers: list[str]) -> bytes:
        return await self._patch(claim, "", {"metadata": {"finalizers": finalizers}})

    async def _patch(self, claim: Claim, subresource: str, body: dict[str, Any]) -> bytes:
        # With the uid and version that were read the server answers 409 if it is not the newest any more.
        body.setdefault("metadata", {}).update(uid=claim.uid, resourceVersion=claim.resource_version)
        path = f"{_PATH}/{claim.name}{subresource}"
        return await self._client.request("PATCH", path, body=body, content_type=MERGE_PATCH)

    def _decode(self, body: bytes) -> Claim:
        with understood("PCIDeviceClaim"):
            decoded = claim(body, self._node_name)
        if decoded is None:
            raise Refused(f"the API server answered with a claim that is not node {self._node_name}'s")
        return decoded
