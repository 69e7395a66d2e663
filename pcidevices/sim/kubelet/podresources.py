"""The service that tells which pod holds what."""

from __future__ import annotations

import random

from collections.abc import Iterable
from typing import Protocol

from anyio import current_time
from grpclib import GRPCError, Status

from pcidevices.kubeletapi import v1

from .devices import Devices
from .pods import CONTAINER, NOWHERE, Allocations, Pod


_ANY = random.SystemRandom()
_PER_SECOND = 100.0
_BURST = 10.0


class Node(Protocol):
    """What the service looks at."""

    devices: Devices
    allocations: Allocations

    def pods_seen(self) -> Iterable[Pod]:
        """None of them until the kubelet has heard from the API server."""

    def free_what_is_over(self) -> None:
        """Take their devices from pods that are no more."""


class PodResources(v1.PodResourcesListerBase):
    """Answers at once, in any order, and not too often."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tokens = _BURST
        self._filled_at = current_time()

    async def list(self, _request: v1.ListPodResourcesRequest | None) -> v1.ListPodResourcesResponse:
        self._admit()
        self._node.free_what_is_over()
        pods = [self._pod(pod) for pod in self._node.pods_seen()]
        _ANY.shuffle(pods)
        return v1.ListPodResourcesResponse(pod_resources=pods)

    async def get(self, request: v1.GetPodResourcesRequest | None) -> v1.GetPodResourcesResponse:
        self._admit()
        asked = request or v1.GetPodResourcesRequest()
        for pod in self._node.pods_seen():
            if (pod.namespace, pod.name) == (asked.pod_namespace, asked.pod_name):
                return v1.GetPodResourcesResponse(pod_resources=self._pod(pod))
        raise GRPCError(Status.UNKNOWN, f"pod {asked.pod_name} in namespace {asked.pod_namespace} not found")

    async def get_allocatable_resources(
        self, _request: v1.AllocatableResourcesRequest | None
    ) -> v1.AllocatableResourcesResponse:
        self._admit()
        nodes_of = self._node.devices.nodes_of
        devices = [
            one
            for resource, ids in self._node.devices.allocatable.items()
            for device_id in ids
            for one in _placed(resource, device_id, nodes_of(resource, device_id))
        ]
        _ANY.shuffle(devices)
        return v1.AllocatableResourcesResponse(devices=devices)

    def _pod(self, pod: Pod) -> v1.PodResources:
        devices = [
            one
            for held in self._node.allocations
            if held.uid == pod.uid
            for node, ids in held.ids.items()
            for device_id in ids
            for one in _placed(held.resource, device_id, None if node == NOWHERE else [node])
        ]
        _ANY.shuffle(devices)
        container = v1.ContainerResources(name=CONTAINER, devices=devices)
        return v1.PodResources(name=pod.name, namespace=pod.namespace, containers=[container])

    def _admit(self) -> None:
        now = current_time()
        self._tokens = min(_BURST, self._tokens + (now - self._filled_at) * _PER_SECOND)
        self._filled_at = now
        if self._tokens < 1:
            raise GRPCError(Status.RESOURCE_EXHAUSTED, "rejected by rate limit")
        self._tokens -= 1


def _placed(resource: str, device_id: str, nodes: Iterable[int] | None) -> list[v1.ContainerDevices]:
    """One entry for each NUMA node of the device: it stands there twice when it is at two, and not when at none."""

    def entry() -> v1.ContainerDevices:
        return v1.ContainerDevices(resource_name=resource, device_ids=[device_id])

    if nodes is None:
        return [entry()]
    entries = []
    for node in nodes:
        entries.append(entry())
        entries[-1].topology = v1.TopologyInfo(nodes=[v1.NumaNode(id=node)])
    return entries
