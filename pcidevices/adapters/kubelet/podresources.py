"""Who has which devices, as the kubelet knows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from grpclib import GRPCError

from pcidevices.domain.held import HeldDevice
from pcidevices.errors import KubeletAway
from pcidevices.kubeletapi import v1

from .calling import call


T = TypeVar("T")

TIMEOUT = 5.0


class PodResources:
    """
    The kubelet's PodResourcesLister, on ``pod-resources/kubelet.sock`` below its root directory.

    Ask rarely, a few times a minute: the kubelet rejects bursts. Every call may raise KubeletAway.
    """

    def __init__(self, path: Path, *, timeout: float = TIMEOUT) -> None:
        self._path = path
        self._timeout = timeout

    async def held(self) -> tuple[HeldDevice, ...]:
        """
        What each container holds, in order; also devices that no plugin lists any more.

        It lies: after a start of the kubelet the answer has, without an error, *no pods but static ones*, until the
        kubelet has the others from the API server, which takes a second, or for ever while that is down. That nobody
        is named does not mean that a device is free.
        """
        listed = await self._ask(lambda stub: stub.list(v1.ListPodResourcesRequest()))
        ids: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
        for pod in listed.pod_resources:
            for container in pod.containers:
                for devices in container.devices:
                    ids[pod.namespace, pod.name, container.name, devices.resource_name].update(devices.device_ids)
        return tuple(HeldDevice(*holder, ids=tuple(sorted(held))) for holder, held in sorted(ids.items()) if held)

    async def allocatable(self) -> Mapping[str, frozenset[str]]:
        """
        The ids of all healthy devices of each resource, held or not: what the kubelet has heard of its plugins.

        The kubelet is up to date within a fraction of a second, after its own start too.
        """
        listed = await self._ask(lambda stub: stub.get_allocatable_resources(v1.AllocatableResourcesRequest()))
        ids: dict[str, set[str]] = defaultdict(set)
        for devices in listed.devices:
            ids[devices.resource_name].update(devices.device_ids)
        return {resource_name: frozenset(known) for resource_name, known in ids.items()}

    async def _ask(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        try:
            return await call(
                self._path, lambda channel: ask(v1.PodResourcesListerStub(channel)), timeout=self._timeout
            )
        except GRPCError as error:
            raise KubeletAway(f"{self._path}: {error.message or error.status.name}") from error
