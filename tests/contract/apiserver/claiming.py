"""Claims and Nodes on whichever API server is tried, and waiting for it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pcidevices.adapters.kube.objects import claim as decoded
from pcidevices.api.crd import definitions
from pcidevices.api.v1beta1 import API_VERSION, GIVE_BACK_FINALIZER
from tests.contract.apiserver.client import PATIENCE, Api
from tests.support.manifests import a_claim_manifest
from tests.support.waiting import answered


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pcidevices.adapters.kube.client import KubeClient
    from pcidevices.domain.claim import Claim


CLAIMS = f"/apis/{API_VERSION}/pcideviceclaims"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NODES = "/api/v1/nodes"


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for the API server to be so."""
    await answered(true, bool, within=PATIENCE)


async def claims_are_served(api: Api) -> None:
    for definition in definitions():
        await api.post(DEFINITIONS, definition)

    async def served() -> bool:
        return (await api.get(CLAIMS)).status == HTTPStatus.OK

    await until(served)


async def no_claims_are_left(api: Api) -> None:
    for item in (await api.get(CLAIMS))["items"]:
        await api.patch(f"{CLAIMS}/{item['metadata']['name']}", {"metadata": {"finalizers": []}})
    await api.delete(CLAIMS)


async def make_claim(api: Api, name: str, node: str, *finalizers: str) -> dict[str, Any]:
    """Somebody claims a device of *node*."""
    claim = a_claim_manifest(name, "0000:04:00.0", node)
    claim["metadata"]["finalizers"] = list(finalizers)
    made = await api.post(CLAIMS, claim)
    assert made.status == HTTPStatus.CREATED, made.body
    body: dict[str, Any] = made.body
    return body


async def held_claim(api: Api, name: str, node: str, *finalizers: str) -> dict[str, Any]:
    """A claim that the agent of *node* has taken up."""
    return await make_claim(api, name, node, *finalizers, GIVE_BACK_FINALIZER)


async def read_claim(client: KubeClient, name: str, node: str) -> Claim:
    """The claim as an agent sees it."""
    claim = decoded(await client.request("GET", f"{CLAIMS}/{name}"), node)
    assert claim is not None
    return claim


async def make_node(api: Api, name: str) -> None:
    made = await api.post(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    assert made.status == HTTPStatus.CREATED, made.body


async def names_of_claims(api: Api) -> set[str]:
    return {item["metadata"]["name"] for item in (await api.get(CLAIMS))["items"]}
