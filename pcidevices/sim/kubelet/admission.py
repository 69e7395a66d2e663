"""How a pod gets its devices, or is rejected."""

from __future__ import annotations

import random

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pcidevices.kubeletapi import v1beta1

from .devices import Devices, Endpoint
from .plugin import PluginConnection, RpcError
from .pods import NOWHERE, Allocation, Allocations, Pod


_ANY = random.SystemRandom()


class Rejected(Exception):
    """The pod has failed; with the reason and the message that its status shows."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _AllocateError(Exception):
    """In the words of the kubelet's device manager."""


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A device node of the host, in a container."""

    host_path: str
    container_path: str
    permissions: str


@dataclass(frozen=True, slots=True)
class Given:
    """What the plugins have asked for the container: its environment and its device nodes."""

    devices: Mapping[str, tuple[str, ...]]
    """The ids by resource, in the order of the Allocate calls."""
    env: Mapping[str, str]
    nodes: tuple[DeviceNode, ...]


class Admission:
    """Gives devices to pods, one pod after the other."""

    def __init__(self, devices: Devices, allocations: Allocations) -> None:
        self._devices = devices
        self._allocations = allocations

    async def admit(self, pod: Pod, requests: Mapping[str, int], *, forgotten: Iterable[str]) -> Given:
        """
        Allocate for each resource; those in *forgotten* are at 0/0 in the node's status, others that are unknown
        are nobody's business here.

        Raises:
            Rejected: as the kubelet does it.
        """
        ids: dict[str, tuple[str, ...]] = {}
        responses: list[v1beta1.ContainerAllocateResponse] = []
        try:
            for resource, count in requests.items():
                if resource not in self._devices.allocatable and not self._allocations.in_use(resource):
                    continue
                ids[resource], response = await self._allocate(pod, resource, count)
                responses.append(response)
        except (_AllocateError, RpcError) as error:
            message = f"Pod was rejected: Allocate failed due to {error}, which is unexpected"
            raise Rejected("UnexpectedAdmissionError", message) from error
        finally:
            self._allocations.save(self._devices.allocatable)
        for resource in set(forgotten) & requests.keys() - ids.keys():
            too_few = f"{resource}, requested: {requests[resource]}, used: 0, capacity: 0"
            raise Rejected(f"OutOf{resource}", f"Pod was rejected: Node didn't have enough resource: {too_few}")
        env = {key: value for response in responses for key, value in response.envs.items()}
        nodes = (
            DeviceNode(node.host_path, node.container_path, node.permissions)
            for response in responses
            for node in response.devices
        )
        return Given(ids, env, tuple(nodes))

    async def _allocate(
        self, pod: Pod, resource: str, count: int
    ) -> tuple[tuple[str, ...], v1beta1.ContainerAllocateResponse]:
        ids = await self._choose(resource, count)
        responses = await _running(self._devices.endpoints[resource], resource).allocate(ids)
        if not responses:
            raise _AllocateError("no containers return in allocation response &AllocateResponse{}")
        by_node: dict[int, list[str]] = defaultdict(list)
        for device_id in ids:
            for node in self._devices.nodes_of(resource, device_id) or [NOWHERE]:
                by_node[node].append(device_id)
        where = {node: tuple(there) for node, there in by_node.items()}
        self._allocations.add(Allocation(pod.uid, resource, where, responses[0]))
        return tuple(ids), responses[0]

    async def _choose(self, resource: str, count: int) -> list[str]:
        """Any that are healthy and free, but first those that the plugin prefers."""
        if resource not in self._devices.allocatable:
            raise _AllocateError(f"cannot allocate unregistered device {resource}")
        healthy = self._devices.allocatable[resource]
        if not healthy:
            raise _AllocateError(f"no healthy devices present; cannot allocate unhealthy devices {resource}")
        free = healthy - self._allocations.in_use(resource)
        if len(free) < count:
            too_few = f"Requested: {count}, Available: {len(free)}"
            raise _AllocateError(f"requested number of devices unavailable for {resource}. {too_few}")
        preferred: set[str] = set()
        endpoint = self._devices.endpoints[resource]
        if endpoint.offers_preferences:
            try:
                preferred = await _running(endpoint, resource).preferred(_shuffled(free), count)
            except RpcError as error:
                raise _AllocateError(f"device plugin GetPreferredAllocation rpc failed with err: {error}") from error
        return (_shuffled(preferred & free) + _shuffled(free - preferred))[:count]


def _running(endpoint: Endpoint, resource: str) -> PluginConnection:
    if endpoint.connection is None or endpoint.stopped_at is not None:
        raise _AllocateError(f"endpoint {resource} has been stopped")
    return endpoint.connection


def _shuffled(ids: Iterable[str]) -> list[str]:
    """The kubelet keeps sets, whose order is another each time."""
    shuffled = sorted(ids)
    _ANY.shuffle(shuffled)
    return shuffled
