"""The claims of all nodes, and whether a Node exists, on the API server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from pcidevices.api.v1beta1 import API_VERSION, FINALIZERS, NODE_GONE
from pcidevices.domain.foreign import ForeignClaim, can_be_a_node
from pcidevices.errors import NotFound

from .client import MERGE_PATCH, KubeClient
from .pages import PAGE, pages
from .translate import understood


_PATH = f"/apis/{API_VERSION}/pcideviceclaims"
_NODE_GONE = {NODE_GONE: "true"}


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    uid: str
    resource_version: str
    finalizers: tuple[str, ...] | None = None
    deletion_timestamp: str | None = None


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str


class _Claim(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec


class _Kind(msgspec.Struct):
    kind: str = ""


class KubeClusterClaims:
    """Implements the port `ClusterClaims`."""

    def __init__(self, client: KubeClient, *, page: int = PAGE) -> None:
        self._client = client
        self._page = page

    async def everywhere(self) -> Sequence[ForeignClaim]:
        listed = pages(self._client, _PATH, size=self._page)
        return [claim async for page in listed for claim in _sensible(page.items or ())]

    async def has_node(self, name: str) -> bool:
        if not can_be_a_node(name):
            return False  # and it must not become a part of a path
        try:
            await self._client.request("GET", f"/api/v1/nodes/{name}")
        except NotFound:
            return False
        return True

    async def delete(self, claim: ForeignClaim) -> ForeignClaim | None:
        # A policy asks whether there is a Node of that name. It would do so for every write to any claim, if not for
        # the label: it is put on first.
        patched = await self._patch(claim, {"labels": _NODE_GONE})
        with understood("PCIDeviceClaim"):
            marked = _decode(patched)
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": marked.uid, "resourceVersion": marked.resource_version},
        }
        answer = await self._client.request("DELETE", f"{_PATH}/{claim.name}", body=body)
        with understood("PCIDeviceClaim"):
            # What nothing keeps is gone, and a Status says so.
            if msgspec.json.decode(answer, type=_Kind).kind == "Status":
                return None
            return _decode(answer)

    async def release(self, claim: ForeignClaim) -> None:
        finalizers = [name for name in claim.finalizers if name not in FINALIZERS]
        await self._patch(claim, {"labels": _NODE_GONE, "finalizers": finalizers})

    async def _patch(self, claim: ForeignClaim, metadata: dict[str, Any]) -> bytes:
        read = {"uid": claim.uid, "resourceVersion": claim.resource_version}
        path = f"{_PATH}/{claim.name}"
        body = {"metadata": read | metadata}
        return await self._client.request("PATCH", path, body=body, content_type=MERGE_PATCH)


def _sensible(items: Sequence[msgspec.Raw]) -> Iterator[ForeignClaim]:
    """What is older than the schema and makes no sense is left out: nobody knows which node it is for."""
    for raw in items:
        with suppress(msgspec.ValidationError):
            yield _decode(raw)


def _decode(raw: msgspec.Raw | bytes) -> ForeignClaim:
    whole = msgspec.json.decode(raw, type=_Claim)
    meta = whole.metadata
    return ForeignClaim(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        node_name=whole.spec.node_name,
        finalizers=meta.finalizers or (),
        deleting=meta.deletion_timestamp is not None,
    )
