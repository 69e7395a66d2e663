"""
A device plugin, and a caller of the kubelet, that share nothing with the program.

They are made with grpcio, run in threads of their own, and take their messages from proto/ while they run.
"""

from __future__ import annotations

import sys
import threading

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Listed:
    """A device as a plugin lists it; the NUMA nodes are None where nothing is said of them."""

    healthy: bool = True
    nodes: tuple[int, ...] | None = None


@dataclass(eq=False, slots=True)
class Plugin:
    """
    One resource's plugin on one socket; its fields may be changed while it runs.

    What it gives to a container is the ids in the variable ``GIVEN`` and the node ``/dev/null``.
    """

    path: Path
    resource: str
    devices: Mapping[str, Listed]
    refusal: str = ""
    """Allocate fails with this text."""
    preferred: tuple[str, ...] | None = None
    """What GetPreferredAllocation answers; None when it is not offered."""
    undecided: bool = False
    """GetPreferredAllocation, if it is offered, fails."""
    dumb: bool = False
    """GetDevicePluginOptions fails."""
    streams: int = 0
    """How many ListAndWatch calls are open."""
    _news: threading.Condition = field(default_factory=threading.Condition)
    _version: int = 0
    _over: bool = False
    _server: Any = None

    def listen(self) -> Plugin:
        one, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        handlers = {
            "GetDevicePluginOptions": (one, self._options, PLUGIN.Empty),
            "ListAndWatch": (many, self._list_and_watch, PLUGIN.Empty),
            "GetPreferredAllocation": (one, self._prefer, PLUGIN.PreferredAllocationRequest),
            "Allocate": (one, self._allocate, PLUGIN.AllocateRequest),
        }
        served = {
            name: make(method, request_deserializer=request.FromString, response_serializer=_serialized)
            for name, (make, method, request) in handlers.items()
        }
        self._over = False
        self._server = grpc.server(ThreadPoolExecutor(16))
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", served)])
        self._server.add_insecure_port(f"unix:{self.path}")
        self._server.start()
        return self

    async def register(self, kubelet: Path, *, version: str = "v1beta1", resource: str | None = None) -> None:
        """
        Register at the socket *kubelet*.

        Raises:
            Refused: with what the kubelet said.
        """
        request = PLUGIN.RegisterRequest(
            version=version,
            endpoint=self.path.name,
            resource_name=self.resource if resource is None else resource,
            options=PLUGIN.DevicePluginOptions(),
        )
        await _call(kubelet, "/v1beta1.Registration/Register", request, PLUGIN.Empty)

    def list_devices(self, devices: Mapping[str, Listed]) -> None:
        """Tell all open streams."""
        with self._news:
            self.devices = devices
            self._version += 1
            self._news.notify_all()

    def end_streams(self) -> None:
        """In order; the server goes on, and the next stream ends at once, too."""
        with self._news:
            self._over = True
            self._news.notify_all()

    async def close(self, *, in_order: bool = True) -> None:
        """End the streams (or not), then the server and its connections."""
        if in_order:
            self.end_streams()
            await to_thread.run_sync(self._wait_for_the_end_of_streams)
        server, self._server = self._server, None
        if server is not None:
            await to_thread.run_sync(lambda: server.stop(None).wait())

    def _wait_for_the_end_of_streams(self) -> None:
        with self._news:
            self._news.wait_for(lambda: not self.streams, _TIMEOUT)

    def _options(self, _request: Any, context: Any) -> Any:
        if self.dumb:
            context.abort(grpc.StatusCode.INTERNAL, "no idea")
        return PLUGIN.DevicePluginOptions(get_preferred_allocation_available=self.preferred is not None)

    def _list_and_watch(self, _request: Any, context: Any) -> Iterator[Any]:
        def wake() -> None:
            with self._news:
                self._news.notify_all()

        context.add_callback(wake)
        told = -1
        with self._news:
            self.streams += 1
        try:
            while True:
                with self._news:
                    self._news.wait_for(lambda: self._over or not context.is_active() or self._version != told)  # noqa: B023
                    if self._over or not context.is_active():
                        return
                    told = self._version
                    devices = [_device(name, listed) for name, listed in self.devices.items()]
                yield PLUGIN.ListAndWatchResponse(devices=devices)
        finally:
            with self._news:
                self.streams -= 1
                self._news.notify_all()

    def _prefer(self, _request: Any, context: Any) -> Any:
        if self.undecided:
            context.abort(grpc.StatusCode.INTERNAL, "no idea")
        one = PLUGIN.ContainerPreferredAllocationResponse(deviceIDs=self.preferred or ())
        return PLUGIN.PreferredAllocationResponse(container_responses=[one])

    def _allocate(self, request: Any, context: Any) -> Any:
        if self.refusal:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, self.refusal)
        node = PLUGIN.DeviceSpec(container_path="/dev/given", host_path="/dev/null", permissions="mrw")
        return PLUGIN.AllocateResponse(
            container_responses=[
                PLUGIN.ContainerAllocateResponse(envs={"GIVEN": ",".join(sorted(one.devices_ids))}, devices=[node])
                for one in request.container_requests
            ]
        )


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
    return await _call(socket, f"/v1.PodResourcesLister/{method}", request, answer)


async def _call(socket: Path, method: str, request: Any, answer: Any) -> Any:
    def call() -> Any:
        # Channels share their connections, and how long they wait before the next, unless they are told not to.
        with grpc.insecure_channel(f"unix:{socket}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            ask = channel.unary_unary(method, request_serializer=_serialized, response_deserializer=answer.FromString)
            with _refused():
                return ask(request, timeout=_TIMEOUT)

    return await to_thread.run_sync(call)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise Refused(error.code().name, error.details()) from error


def _serialized(message: Any) -> bytes:
    wire: bytes = message.SerializeToString()
    return wire


def _device(name: str, listed: Listed) -> Any:
    device = PLUGIN.Device(ID=name, health="Healthy" if listed.healthy else "Unhealthy")
    if listed.nodes is not None:
        device.topology.SetInParent()
        device.topology.nodes.extend(PLUGIN.NUMANode(ID=node) for node in listed.nodes)
    return device
