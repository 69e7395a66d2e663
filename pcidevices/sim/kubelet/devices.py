"""What plugins have told of their devices, and which plugin speaks for a resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import betterproto

from anyio import current_time

from pcidevices.kubeletapi import v1beta1

from .plugin import PluginConnection


class Counts(NamedTuple):
    """A resource in the node's status."""

    capacity: int
    allocatable: int


@dataclass(slots=True)
class Endpoint:
    """The plugin that was connected last; without a connection it is only remembered."""

    connection: PluginConnection | None = None
    offers_preferences: bool = False
    stopped_at: float | None = None


class Devices:
    """
    All devices by resource.

    Every stream of a resource writes here, also one that is older than its endpoint; the end of a stream makes
    what is known unhealthy, and *grace* seconds later the resource is forgotten.
    """

    def __init__(self, *, grace: float, changed: Callable[[], None]) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self._known: dict[str, dict[str, v1beta1.Device]] = {}
        self._healthy: dict[str, set[str]] = {}
        self._grace = grace
        self._changed = changed

    @property
    def allocatable(self) -> dict[str, set[str]]:
        """The healthy ids of each resource that plugins have listed, or had when the kubelet was stopped."""
        return {resource: set(ids) for resource, ids in self._healthy.items()}

    def remember(self, resources: Iterable[str]) -> None:
        """There were such resources before the kubelet started; of their devices it knows nothing."""
        for resource in resources:
            self._healthy[resource] = set()
            self.endpoints[resource] = Endpoint(stopped_at=current_time())

    def connected(self, resource: str, connection: PluginConnection, *, offers_preferences: bool) -> None:
        self.endpoints[resource] = Endpoint(connection, offers_preferences)

    def speaks_for(self, resource: str, connection: PluginConnection) -> bool:
        """Whether it is the one that is asked for devices."""
        endpoint = self.endpoints.get(resource)
        return endpoint is not None and endpoint.connection is connection

    def listed(self, resource: str, devices: Iterable[v1beta1.Device]) -> None:
        """A stream says what there is."""
        self._known[resource] = {device.id: device for device in devices}
        self._healthy[resource] = {device.id for device in self._known[resource].values() if device.health == "Healthy"}
        self._changed()

    def disconnected(self, resource: str) -> None:
        """No device of it can be given away now."""
        endpoint = self.endpoints.get(resource)
        if endpoint is None:
            return
        self._healthy[resource] = set()
        endpoint.stopped_at = current_time()
        self._changed()

    def nodes_of(self, resource: str, device_id: str) -> list[int] | None:
        """Its NUMA nodes; None where its plugin says nothing of them."""
        device = self._known.get(resource, {}).get(device_id)
        if device is None or not betterproto.serialized_on_wire(device.topology):
            return None
        return [node.id for node in device.topology.nodes]

    def counts(self) -> dict[str, Counts]:
        """By resource; also of those that this look forgets."""
        now = current_time()
        counts = {}
        for resource, ids in tuple(self._healthy.items()):
            counts[resource] = Counts(len(self._known.get(resource, ())), len(ids))
            stopped_at = self.endpoints[resource].stopped_at
            if stopped_at is not None and now - stopped_at > self._grace:
                del self._healthy[resource], self.endpoints[resource]
                self._known.pop(resource, None)
                counts[resource] = Counts(0, 0)
        return counts
