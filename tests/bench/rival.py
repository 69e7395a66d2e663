"""A plain device plugin, made with grpcio's asyncio in the obvious way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import grpc
import grpc.aio

from pcidevices.domain.resourcename import socket_name
from tests.bench.plugins import address_of, obey, resource_of
from tests.support.kubeletcalls import PLUGIN, serialized


class Rival:
    """Builds its list anew for each change, and for each stream."""

    def __init__(self, devices: int) -> None:
        self._devices = {address_of(number): str(number) for number in range(devices)}
        self._unhealthy = ""
        self._changed = anyio.Event()

    def change(self, number: int) -> None:
        self._unhealthy = address_of(number)
        self._changed.set()
        self._changed = anyio.Event()

    async def options(self, _request: Any, _context: Any) -> Any:
        return PLUGIN.DevicePluginOptions(get_preferred_allocation_available=True)

    async def list_and_watch(self, _request: Any, _context: Any) -> AsyncIterator[Any]:
        while True:
            changed = self._changed
            answer = PLUGIN.ListAndWatchResponse()
            for address in self._devices:
                device = PLUGIN.Device(ID=address, health="Unhealthy" if address == self._unhealthy else "Healthy")
                device.topology.nodes.append(PLUGIN.NUMANode(ID=0))
                answer.devices.append(device)
            yield answer
            await changed.wait()

    async def allocate(self, request: Any, context: Any) -> Any:
        answer = PLUGIN.AllocateResponse()
        for one in request.container_requests:
            given = answer.container_responses.add()
            given.envs["PCI_RESOURCE_EXAMPLE_COM_NIC_0"] = ",".join(sorted(one.devices_ids))
            for name in one.devices_ids:
                if name not in self._devices:
                    await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such device")
            for node in ("vfio", *(self._devices[name] for name in one.devices_ids)):
                path = f"/dev/vfio/{node}"
                given.devices.add(container_path=path, host_path=path, permissions="mrw")
        return answer

    async def serve(self, path: Path) -> grpc.aio.Server:
        """Listen at *path*."""
        one, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        handlers = {
            "GetDevicePluginOptions": (one, self.options, PLUGIN.Empty),
            "ListAndWatch": (many, self.list_and_watch, PLUGIN.Empty),
            "Allocate": (one, self.allocate, PLUGIN.AllocateRequest),
        }
        served = {
            name: make(method, request_deserializer=request.FromString, response_serializer=serialized)
            for name, (make, method, request) in handlers.items()
        }
        server = grpc.aio.server()
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", served)])
        server.add_insecure_port(f"unix:{path}")
        await server.start()
        return server


async def rivals(folder: Path, plugins: int, devices: int) -> None:
    """So many of them, registered one after the other over one connection."""
    all_of_them = [Rival(devices) for _ in range(plugins)]
    servers = []
    async with grpc.aio.insecure_channel(f"unix:{folder / 'kubelet.sock'}") as channel:
        register = channel.unary_unary(
            "/v1beta1.Registration/Register",
            request_serializer=serialized,
            response_deserializer=PLUGIN.Empty.FromString,
        )
        for number, rival in enumerate(all_of_them):
            name = socket_name(resource_of(number), folder=str(folder))
            servers.append(await rival.serve(folder / name))
            await register(PLUGIN.RegisterRequest(version="v1beta1", endpoint=name, resource_name=resource_of(number)))
    await obey(all_of_them[0].change)
    for server in servers:
        await server.stop(None)
