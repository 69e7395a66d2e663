"""A server with one kind of its own, and a client without manners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aiohttp import ClientSession

from pcidevices.sim.apiserver import ApiServer


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Cluster",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                            "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
                        },
                    }
                },
            }
        ],
    },
}


@pytest.fixture
def server() -> ApiServer:
    return ApiServer(crds=[CRD])


@pytest.fixture
async def url(server: ApiServer) -> AsyncIterator[str]:
    async with server.serving() as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[ClientSession]:
    async with ClientSession(url) as client:
        yield client
