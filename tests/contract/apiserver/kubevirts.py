"""KubeVirt's definition, as far as this program reads and writes it, and agents that share one such object."""

from __future__ import annotations

import json
import math

from collections import Counter
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pcidevices.adapters.kube.kubevirt import KubeKubeVirts
from pcidevices.adapters.kube.objects import claim as decoded_claim
from pcidevices.adapters.kube.objects import published_device
from pcidevices.api.v1beta1 import API_VERSION
from pcidevices.controllers.permitted import PERMITTED, PermittedReconciler
from pcidevices.domain.address import PciAddress
from pcidevices.errors import Conflict
from pcidevices.registry import Registry
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.controller import Request, work
from pcidevices.runtime.workqueue import WorkQueue
from tests.contract.apiserver.claiming import CLAIMS, DEFINITIONS, until
from tests.support.manifests import a_claim_manifest


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from anyio.abc import TaskGroup

    from pcidevices.adapters.kube.client import KubeClient
    from pcidevices.domain.permitted import KubeVirt, Permission, Write
    from tests.contract.apiserver.client import Api


DEVICES = f"/apis/{API_VERSION}/pcidevices"
KUBEVIRTS = "/apis/kubevirt.io/v1/kubevirts"
DEFINITION = f"{DEFINITIONS}/kubevirts.kubevirt.io"
ANNOTATION = "devices.harvesterhci.io/permitted"

_STRING, _BOOLEAN = {"type": "string"}, {"type": "boolean"}


def _atomic(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "x-kubernetes-list-type": "atomic"}


def _provided(selector: str) -> dict[str, Any]:
    """An entry for a device that a plugin provides; a field that nobody here knows survives too."""
    return {
        "type": "object",
        "required": [selector, "resourceName"],
        "properties": {selector: _STRING, "resourceName": _STRING, "externalResourceProvider": _BOOLEAN},
        "x-kubernetes-preserve-unknown-fields": True,
    }


_PERMITTED = {
    "type": "object",
    "properties": {
        "pciHostDevices": _atomic(_provided("pciVendorSelector")),
        "mediatedDevices": _atomic(_provided("mdevNameSelector")),
    },
}
_CONFIGURATION = {
    "type": "object",
    "properties": {
        "permittedHostDevices": _PERMITTED,
        "developerConfiguration": {"type": "object", "properties": {"featureGates": _atomic(_STRING)}},
    },
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"configuration": _CONFIGURATION}},
        "status": {"type": "object", "properties": {"phase": _STRING}},
    },
}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "kubevirts.kubevirt.io"},
    "spec": {
        "group": "kubevirt.io",
        "scope": "Namespaced",
        "names": {"plural": "kubevirts", "singular": "kubevirt", "kind": "KubeVirt", "shortNames": ["kv", "kvs"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": _SCHEMA},
                "subresources": {"status": {}},
            }
        ],
    },
}


async def kubevirt_is_installed(api: Api) -> None:
    """The definition, and no object of it."""

    async def served() -> bool:
        await api.post(DEFINITIONS, CRD)  # again, while one that was deleted is on its way out
        return (await api.get(KUBEVIRTS)).status == HTTPStatus.OK

    await until(served)
    await no_kubevirts_are_left(api)


async def kubevirt_is_removed(api: Api) -> None:
    async def gone() -> bool:
        return (await api.get(KUBEVIRTS)).status == HTTPStatus.NOT_FOUND

    await api.delete(DEFINITION)
    await until(gone)


async def no_kubevirts_are_left(api: Api) -> None:
    for item in (await api.get(KUBEVIRTS))["items"]:
        await api.delete(path_of(item["metadata"]["namespace"], item["metadata"]["name"]))


def path_of(namespace: str, name: str = "kubevirt") -> str:
    return f"/apis/kubevirt.io/v1/namespaces/{namespace}/kubevirts/{name}"


def listing(*entries: Any, **others: Any) -> dict[str, Any]:
    return {"pciHostDevices": list(entries), **others}


async def make_kubevirt(api: Api, permitted: Any = None, *, name: str = "kubevirt", **metadata: Any) -> str:
    """Somebody installs KubeVirt; its path."""
    configuration: dict[str, Any] = {"developerConfiguration": {"featureGates": ["HostDevices"]}}
    if permitted is not None:
        configuration["permittedHostDevices"] = permitted
    body = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": name, **metadata},
        "spec": {"configuration": configuration},
    }
    made = await api.post(path_of(api.namespace, name).rpartition("/")[0], body)
    assert made.status == HTTPStatus.CREATED, made.body
    return path_of(api.namespace, name)


async def permitted_at(api: Api, path: str) -> Any:
    return (await api.get(path))["spec"]["configuration"].get("permittedHostDevices")


async def remembered_at(api: Api, path: str) -> str | None:
    annotation: str | None = (await api.get(path))["metadata"].get("annotations", {}).get(ANNOTATION)
    return annotation


async def no_devices_are_left(api: Api) -> None:
    await api.delete(DEVICES)


class Counting:
    """The port as it is, with a count of what is asked of it."""

    def __init__(self, kubevirts: KubeKubeVirts, counts: Counter[str]) -> None:
        self._kubevirts = kubevirts
        self._counts = counts

    async def find(self) -> Sequence[KubeVirt]:
        self._counts["looks"] += 1
        return await self._kubevirts.find()

    async def write(self, kubevirt: KubeVirt, write: Write) -> KubeVirt:
        try:
            written = await self._kubevirts.write(kubevirt, write)
        except Conflict:
            self._counts["conflicts"] += 1
            raise
        self._counts["writes"] += 1
        return written

    async def still_needed(self, permissions: Collection[Permission]) -> frozenset[Permission]:
        self._counts["questions"] += 1
        return await self._kubevirts.still_needed(permissions)


class Node:
    """One node's agent, as far as KubeVirt is concerned, and what people do with the node's devices."""

    def __init__(self, api: Api, client: KubeClient, name: str, *, counts: Counter[str] | None = None) -> None:
        self.api = api
        self.name = name
        self.registry = Registry()
        self.queue: WorkQueue[Request] = WorkQueue(Backoff(first=0.25, limit=4.0))
        self.reconciler = PermittedReconciler(
            name,
            registry=self.registry,
            kubevirts=Counting(KubeKubeVirts(client), Counter() if counts is None else counts),
            every=3600.0,
            sweep_every=math.inf,
            absent_for=0.0,
        )

    def start(self, tg: TaskGroup) -> None:
        tg.start_soon(self.reconciler.follow, self.queue.add)
        tg.start_soon(work, self.queue, {PERMITTED: self.reconciler.reconcile})

    async def look(self) -> None:
        """One look, as at the start."""
        self.reconciler._sweep_at = -math.inf
        await self.reconciler.reconcile("kubevirt")

    async def has(self, address: str, model: str, resource_name: str) -> None:
        """A device is published, and its agent knows it."""
        vendor, device = model.split(":")
        name = self._object(address)
        body = {"apiVersion": API_VERSION, "kind": "PCIDevice", "metadata": {"name": name}, "spec": {}}
        made = await self.api.post(DEVICES, body)
        assert made.status == HTTPStatus.CREATED, made.body
        status = {
            "address": address,
            "vendorId": vendor,
            "deviceId": device,
            "nodeName": self.name,
            "resourceName": resource_name,
        }
        told = await self.api.patch(f"{DEVICES}/{name}/status", {"status": status})
        device_now = published_device(_bytes(told.body), self.name)
        assert device_now is not None
        known = self.registry.snapshot.published
        self.registry.replace_published([*known.values(), device_now], device_now.version)

    async def claim(self, address: str, *, allowed: str = "True") -> None:
        """Somebody claims the device, and its agent decides about it."""
        name = self._object(address)
        status = self.registry.snapshot.published[name].status
        made = await self.api.post(CLAIMS, a_claim_manifest(name, address, self.name))
        assert made.status == HTTPStatus.CREATED, made.body
        self._know(made.body)
        since = "2026-01-01T00:00:00Z"
        told = {
            "claimed": {"vendorId": status.vendor_id, "deviceId": status.device_id},
            "conditions": [{"type": "Allowed", "status": allowed, "reason": "X", "lastTransitionTime": since}],
        }
        self._know((await self.api.patch(f"{CLAIMS}/{name}/status", {"status": told})).body)

    async def release(self, address: str) -> None:
        """Somebody deletes the claim."""
        name = self._object(address)
        assert (await self.api.delete(f"{CLAIMS}/{name}")).status == HTTPStatus.OK
        left = [claim for claim in self.registry.snapshot.claims.values() if claim.name != name]
        self.registry.replace_claims(left)

    def resource_of(self, address: str) -> str:
        return self.registry.snapshot.published[self._object(address)].status.resource_name

    def claims(self) -> set[str]:
        return {str(claim.address) for claim in self.registry.snapshot.claims.values()}

    def _know(self, body: dict[str, Any]) -> None:
        claim = decoded_claim(_bytes(body), self.name)
        assert claim is not None
        self.registry.replace_claims([*_without(self.registry.snapshot.claims.values(), claim.name), claim])

    def _object(self, address: str) -> str:
        return PciAddress.parse(address).object_name(self.name)


def _without(claims: Collection[Any], name: str) -> list[Any]:
    return [claim for claim in claims if claim.name != name]


def _bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


@asynccontextmanager
async def installed(api: Api) -> AsyncIterator[None]:
    await kubevirt_is_installed(api)
    try:
        yield
    finally:
        await no_kubevirts_are_left(api)
        await no_devices_are_left(api)
