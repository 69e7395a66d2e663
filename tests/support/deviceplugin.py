"""A device plugin that shares nothing with the program: made with grpcio, and run in threads of its own."""

from __future__ import annotations

import threading

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from anyio import to_thread

from tests.support.kubeletcalls import PLUGIN, call, serialized


_TIMEOUT = 15.0


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
            name: make(method, request_deserializer=request.FromString, response_serializer=serialized)
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
        await call(kubelet, "/v1beta1.Registration/Register", request, PLUGIN.Empty)

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


def _device(name: str, listed: Listed) -> Any:
    device = PLUGIN.Device(ID=name, health="Healthy" if listed.healthy else "Unhealthy")
    if listed.nodes is not None:
        device.topology.SetInParent()
        device.topology.nodes.extend(PLUGIN.NUMANode(ID=node) for node in listed.nodes)
    return device
