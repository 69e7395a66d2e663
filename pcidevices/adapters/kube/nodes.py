"""What is read and never written: the Node."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pcidevices.domain.published import Node
from pcidevices.ports import Listing

from .client import KubeClient
from .objects import node
from .reflector import Reflector


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
