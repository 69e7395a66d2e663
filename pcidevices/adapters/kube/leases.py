"""A Lease on the API server."""

from __future__ import annotations

from typing import Any

import msgspec

from pcidevices.domain.lease import Lease
from pcidevices.errors import NotFound

from .client import MERGE_PATCH, KubeClient
from .translate import understood


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Spec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Object(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)


class KubeLeases:
    """Implements the port `Leases`, for the Lease *name* in *namespace*."""

    def __init__(self, client: KubeClient, namespace: str, name: str = "pcidevices-gone-nodes") -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    async def read(self) -> Lease | None:
        try:
            return _decode(await self._client.request("GET", f"{self._path}/{self._name}"))
        except NotFound:
            return None

    async def create(self, lease: Lease) -> Lease:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": _spec(lease),
        }
        return _decode(await self._client.request("POST", self._path, body=body))

    async def write(self, lease: Lease) -> Lease:
        # With the version that was read the server answers 409 if it is not the newest any more.
        body = {"metadata": {"resourceVersion": lease.version}, "spec": _spec(lease)}
        path = f"{self._path}/{self._name}"
        return _decode(await self._client.request("PATCH", path, body=body, content_type=MERGE_PATCH))


def _decode(body: bytes) -> Lease:
    with understood("Lease"):
        whole = msgspec.json.decode(body, type=_Object)
    spec = whole.spec
    return Lease(
        holder=spec.holder_identity or "",
        seconds=spec.lease_duration_seconds or 0,
        acquired=spec.acquire_time or "",
        renewed=spec.renew_time or "",
        transitions=spec.lease_transitions or 0,
        version=whole.metadata.resource_version,
    )


def _spec(lease: Lease) -> dict[str, Any]:
    return {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": lease.seconds,
        "acquireTime": lease.acquired,
        "renewTime": lease.renewed,
        "leaseTransitions": lease.transitions,
    }
