"""
Calls to the kubelet that share nothing with the program.

They are made with grpcio, in threads of their own, with messages taken from proto/ while they run.
"""

from __future__ import annotations

import sys

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from anyio import to_thread


_PROTO = Path(__file__).parents[2] / "proto"
_TIMEOUT = 15.0


def _messages(source: str) -> Any:
    sys.path.insert(0, str(_PROTO))
    try:
        return grpc.protos(source)
    finally:
        sys.path.remove(str(_PROTO))


PLUGIN = _messages("v1beta1/deviceplugin.proto")
RESOURCES = _messages("podresources/v1/podresources.proto")


class Refused(Exception):
    """The kubelet said no: the name of a status, and a text."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


async def allocatable(socket: Path, resource: str) -> set[str]:
    """The ids that GetAllocatableResources names."""
    answer = await _ask(
        socket,
        "GetAllocatableResources",
        RESOURCES.AllocatableResourcesRequest(),
        RESOURCES.AllocatableResourcesResponse,
    )
    return {one for devices in answer.devices if devices.resource_name == resource for one in devices.device_ids}


async def placed(socket: Path, resource: str) -> list[tuple[str, tuple[int, ...]]]:
    """The entries of GetAllocatableResources: ids with NUMA nodes, in order."""
    answer = await _ask(
        socket,
        "GetAllocatableResources",
        RESOURCES.AllocatableResourcesRequest(),
        RESOURCES.AllocatableResourcesResponse,
    )
    entries = [devices for devices in answer.devices if devices.resource_name == resource]
    return sorted((one, tuple(node.ID for node in it.topology.nodes)) for it in entries for one in it.device_ids)


async def holders(socket: Path, resource: str) -> dict[str, set[str]]:
    """Pods, by their names, and what of a resource List says that they hold; pods without any are there, too."""
    answer = await _ask(socket, "List", RESOURCES.ListPodResourcesRequest(), RESOURCES.ListPodResourcesResponse)
    return {pod.name: _held(pod, resource) for pod in answer.pod_resources}


async def held_by(socket: Path, pod: str, resource: str, *, namespace: str = "default") -> set[str]:
    """What Get says that one pod holds."""
    request = RESOURCES.GetPodResourcesRequest(pod_name=pod, pod_namespace=namespace)
    answer = await _ask(socket, "Get", request, RESOURCES.GetPodResourcesResponse)
    return _held(answer.pod_resources, resource)


def _held(pod: Any, resource: str) -> set[str]:
    return {
        one
        for container in pod.containers
        for devices in container.devices
        if devices.resource_name == resource
        for one in devices.device_ids
    }


async def _ask(socket: Path, method: str, request: Any, answer: Any) -> Any:
    return await call(socket, f"/v1.PodResourcesLister/{method}", request, answer)


async def call(socket: Path, method: str, request: Any, answer: Any) -> Any:
    """
    Connect, ask once, and expect an answer of this kind.

    Raises:
        Refused: the answer was an error.
    """

    def now() -> Any:
        # Channels share their connections, and how long they wait before the next, unless they are told not to.
        with grpc.insecure_channel(f"unix:{socket}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            ask = channel.unary_unary(method, request_serializer=serialized, response_deserializer=answer.FromString)
            with _refused():
                return ask(request, timeout=_TIMEOUT)

    return await to_thread.run_sync(now)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise Refused(error.code().name, error.details()) from error


def serialized(message: Any) -> bytes:
    """A message as it travels."""
    wire: bytes = message.SerializeToString()
    return wire
