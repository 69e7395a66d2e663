"""Kinds that are read and never written: claims for this node, and the Node itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pcidevices.api.v1beta1 import API_VERSION
from pcidevices.domain.claim import Claim
from pcidevices.domain.published import Node
from pcidevices.ports import Listing

from .client import KubeClient
from .objects import claim, node
from .reflector import Reflector


class KubeClaims:
    """Implements the port `Claims`."""

    def __init__(self, client: KubeClient, node_name: str) -> None:
        self._client = client
        self._node_name = node_name

    def lists(self) -> AsyncIterator[Listing[Claim]]:
        return Reflector(
            client=self._client,
            path=f"/apis/{API_VERSION}/pcideviceclaims",
            # A selectable field of the definition, from Kubernetes 1.31 on (KEP-4358).
            selector=("fieldSelector", f"spec.nodeName={self._node_name}"),
            decode=lambda raw: claim(raw, self._node_name),
        ).lists()


class KubeNodes:
    """Implements the port `Nodes`."""

    def __init__(self, client: KubeClient, node_name: str) -> None:
        self._client = client
        self._node_name = node_name

    def lists(self) -> AsyncIterator[Listing[Node]]:
        return Reflector(
            client=self._client,
            path="/api/v1/nodes",
            selector=("fieldSelector", f"metadata.name={self._node_name}"),
            decode=node,
        ).lists()
