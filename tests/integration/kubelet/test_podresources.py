"""Who holds what, as a kubelet tells it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from pcidevices.adapters.kubelet.podresources import PodResources
from pcidevices.domain.held import HeldDevice
from pcidevices.errors import KubeletAway
from tests.support.kubelet import message


GPU = "nvidia.com/GP106"
NIC = "intel.com/X710"


def devices(resource: str, *ids: str) -> Any:
    return message("v1.ContainerDevices")(resource_name=resource, device_ids=ids)


def a_pod(name: str, **containers: list[Any]) -> Any:
    of_one = message("v1.ContainerResources")
    return message("v1.PodResources")(
        name=name,
        namespace="vms",
        containers=[of_one(name=container, devices=held, cpu_ids=[3]) for container, held in containers.items()],
    )


class Lister:
    """The kubelet's answers."""

    def __init__(self) -> None:
        self.listed = message("v1.ListPodResourcesResponse")()
        self.allocatable = message("v1.AllocatableResourcesResponse")()
        self.error: tuple[grpc.StatusCode, str] | None = None

    def answer(self, what: str, context: grpc.ServicerContext) -> bytes:
        if self.error is not None:
            context.abort(*self.error)
        wire: bytes = getattr(self, what).SerializeToString()
        return wire


@pytest.fixture
def lister(folder: Path) -> Iterator[Lister]:
    answers = Lister()
    pool = ThreadPoolExecutor(2)
    server = grpc.server(pool)
    handlers = {
        method: grpc.unary_unary_rpc_method_handler(lambda _, context, what=what: answers.answer(what, context))
        for method, what in (("List", "listed"), ("GetAllocatableResources", "allocatable"))
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1.PodResourcesLister", handlers),))
    server.add_insecure_port(f"unix:{folder / 'kubelet.sock'}")
    server.start()
    yield answers
    server.stop(None).wait()
    pool.shutdown()


@pytest.fixture
def resources(folder: Path) -> PodResources:
    return PodResources(folder / "kubelet.sock", timeout=5)


async def test_who_holds_what_is_told_in_order(lister: Lister, resources: PodResources) -> None:
    """The kubelet's order is random, and it tells one resource in parts, one for each NUMA node."""
    lister.listed.pod_resources.extend(
        [
            a_pod("vm-2", compute=[devices(GPU, "0000:05:00.0"), devices(NIC, "0000:07:00.0")], side=[]),
            a_pod("vm-1", compute=[devices(GPU, "0000:41:00.0"), devices(GPU, "0000:04:00.0")]),
            a_pod("web", server=[]),
        ]
    )

    assert await resources.held() == (
        HeldDevice("vms", "vm-1", "compute", GPU, ("0000:04:00.0", "0000:41:00.0")),
        HeldDevice("vms", "vm-2", "compute", NIC, ("0000:07:00.0",)),
        HeldDevice("vms", "vm-2", "compute", GPU, ("0000:05:00.0",)),
    )


async def test_nobody_holds_anything_is_an_answer(lister: Lister, resources: PodResources) -> None:
    """And means nothing just after a start of the kubelet."""
    assert lister.error is None
    assert await resources.held() == ()


async def test_what_is_allocatable_is_told_for_each_resource(lister: Lister, resources: PodResources) -> None:
    lister.allocatable.devices.extend([devices(GPU, "b"), devices(NIC, "c"), devices(GPU, "a", "b")])
    lister.allocatable.cpu_ids.extend(range(64))

    assert await resources.allocatable() == {GPU: frozenset("ab"), NIC: frozenset("c")}


async def test_a_kubelet_that_is_asked_too_often_is_away(lister: Lister, resources: PodResources) -> None:
    lister.error = grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit"

    with pytest.raises(KubeletAway, match="rejected by rate limit"):
        await resources.held()


async def test_a_kubelet_that_is_not_there_is_away(resources: PodResources) -> None:
    with pytest.raises(KubeletAway, match="is the kubelet running"):
        await resources.allocatable()
