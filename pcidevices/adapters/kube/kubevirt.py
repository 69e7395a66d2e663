"""KubeVirt's own object on the API server, and the claims of all nodes that need something of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from pcidevices.api.v1beta1 import API_VERSION
from pcidevices.domain.claim import Claim
from pcidevices.domain.foreign import can_be_a_node
from pcidevices.domain.kubevirtobject import ANNOTATION, KubeVirtObject
from pcidevices.domain.permitted import KubeVirt, Permission, Write, is_wanted, permission_of
from pcidevices.domain.published import PublishedDevice
from pcidevices.errors import NotFound

from .client import MERGE_PATCH, KubeClient
from .objects import claim, published_device
from .pages import PAGE, Page, pages
from .translate import understood


_API = "/apis/kubevirt.io/v1"
_CLAIMS = f"/apis/{API_VERSION}/pcideviceclaims"
_DEVICES = f"/apis/{API_VERSION}/pcidevices"


class _ClaimSpec(msgspec.Struct, rename="camel"):
    node_name: str


class _Claim(msgspec.Struct):
    spec: _ClaimSpec


class KubeKubeVirts:
    """
    Implements the port `KubeVirts`.

    *only* is the namespace and the name of the one object that counts; without it all are found, wherever they are.
    """

    def __init__(self, client: KubeClient, only: tuple[str, str] | None = None, *, page: int = PAGE) -> None:
        self._client = client
        self._page = page
        self._only = only

    async def find(self) -> Sequence[KubeVirt]:
        try:
            if self._only is not None:
                found = [_decoded(await self._client.request("GET", _path(*self._only)))]
            else:
                body = await self._client.request("GET", f"{_API}/kubevirts")
                with understood("KubeVirt"):
                    found = [_decoded(raw) for raw in msgspec.json.decode(body, type=Page).items or ()]
        except NotFound:  # the object, or its kind
            return ()
        return [kubevirt for kubevirt in found if kubevirt is not None]

    async def write(self, kubevirt: KubeVirt, write: Write) -> KubeVirt:
        metadata = {
            # With the uid and version that were read the server answers 409 if it is not the newest any more.
            "uid": kubevirt.uid,
            "resourceVersion": kubevirt.resource_version,
            "annotations": {ANNOTATION: write.ours.annotation},
        }
        body: dict[str, Any] = {"metadata": metadata}
        if write.is_new_list:
            listed = None if write.entries is None else {"pciHostDevices": write.entries}
            body["spec"] = {"configuration": {"permittedHostDevices": listed}}
        path = _path(kubevirt.namespace, kubevirt.name)
        written = _decoded(await self._client.request("PATCH", path, body=body, content_type=MERGE_PATCH))
        if written is None:
            raise NotFound(f"KubeVirt {kubevirt} is being deleted")
        return written

    async def still_needed(self, permissions: Collection[Permission]) -> frozenset[Permission]:
        left = set(permissions)
        async for one in self._claims():
            if not left:
                break
            if is_wanted(one) and (asked := set(_may_need(one, left))):
                left -= await self._needed_by(one, asked)
        return frozenset(permissions) - left

    async def _needed_by(self, claim: Claim, asked: set[Permission]) -> set[Permission]:
        device = await self._device_of(claim)
        needed = device and permission_of(device, claim)
        return asked if needed is None else asked & {needed}

    async def _device_of(self, claim: Claim) -> PublishedDevice | None:
        name = claim.address.object_name(claim.node_name)
        try:
            body = await self._client.request("GET", f"{_DEVICES}/{name}")
        except NotFound:
            return None
        with understood("PCIDevice"):
            return published_device(body, claim.node_name)

    async def _claims(self) -> AsyncIterator[Claim]:
        """All that there are now, of all nodes."""
        async for page in pages(self._client, _CLAIMS, size=self._page):
            for one in _sensible(page.items or ()):
                yield one


def _path(namespace: str, name: str) -> str:
    return f"{_API}/namespaces/{namespace}/kubevirts/{name}"


def _decoded(raw: msgspec.Raw | bytes) -> KubeVirt | None:
    """The object; None of one that is being deleted."""
    with understood("KubeVirt"):
        return msgspec.json.decode(raw, type=KubeVirtObject).value


def _sensible(items: Sequence[msgspec.Raw]) -> Iterator[Claim]:
    """What is older than the schema and makes no sense is left out, as by the agent of its node."""
    for raw in items:
        with suppress(msgspec.ValidationError):
            node_name = msgspec.json.decode(raw, type=_Claim).spec.node_name
            if can_be_a_node(node_name) and (decoded := claim(raw, node_name)) is not None:
                yield decoded


def _may_need(claim: Claim, permissions: Collection[Permission]) -> Iterator[Permission]:
    """Those for the model that was claimed; all of them where that is not known."""
    known = claim.status.claimed
    model = known and f"{known.vendor_id}:{known.device_id}".lower()
    return (permission for permission in permissions if model in (None, permission.selector))
