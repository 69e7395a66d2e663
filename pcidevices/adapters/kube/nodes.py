"""What is read and never written: the Node."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pcidevices.domain.published import Node
from pcidevices.ports import Listing
from pcidevices.runtime.pulse import Pulse

from .client import KubeClient
from .objects import node
from .reflector import Reflector


class KubeNodes:
    """Implements the port `Nodes`."""

    def __init__(self, client: KubeClient, node_name: str, *, pulse: Pulse | None = None) -> None:
        self._client = client
        self._node_name = node_name
        self._pulse = pulse or Pulse()

    def lists(self) -> AsyncIterator[Listing[Node]]:
        return Reflector(
            client=self._client,
            path="/api/v1/nodes",
            selector=("fieldSelector", f"metadata.name={self._node_name}"),
            decode=node,
            pulse=self._pulse,
        ).lists()
