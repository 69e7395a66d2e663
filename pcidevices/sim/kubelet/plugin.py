"""The kubelet's end of one connection to a plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from anyio import Event, fail_after, sleep
from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.protocol import H2Protocol
from h2.exceptions import H2Error

from pcidevices.kubeletapi import v1beta1


_EMPTY = v1beta1.Empty()
_GO_NAMES = {Status.CANCELLED: "Canceled", Status.OK: "OK"}


class RpcError(Exception):
    """A call that failed, in the words of grpc-go."""

    def __init__(self, status: Status, text: str) -> None:
        code = _GO_NAMES.get(status, status.name.title().replace("_", ""))
        super().__init__(f"rpc error: code = {code} desc = {text}")


class DialError(Exception):
    """Nobody answered at the plugin's socket."""


class PluginConnection:
    """Calls that the kubelet makes. All raise `RpcError`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._plugin = v1beta1.DevicePluginStub(channel)

    async def options(self) -> v1beta1.DevicePluginOptions:
        with _failing_as_in_go():
            return await self._plugin.get_device_plugin_options(_EMPTY)

    async def lists(self) -> AsyncIterator[list[v1beta1.Device]]:
        """ListAndWatch; ends when the plugin ends it, or with an error."""
        with _failing_as_in_go():
            async for response in self._plugin.list_and_watch(_EMPTY):
                yield response.devices

    async def preferred(self, available: Iterable[str], count: int) -> set[str]:
        one = v1beta1.ContainerPreferredAllocationRequest(available_device_ids=list(available), allocation_size=count)
        with _failing_as_in_go():
            response = await self._plugin.get_preferred_allocation(
                v1beta1.PreferredAllocationRequest(container_requests=[one])
            )
        return {device_id for answer in response.container_responses[:1] for device_id in answer.device_ids}

    async def allocate(self, ids: Iterable[str]) -> list[v1beta1.ContainerAllocateResponse]:
        """As the kubelet does it: there is no limit to how long it waits."""
        one = v1beta1.ContainerAllocateRequest(devices_ids=list(ids))
        with _failing_as_in_go():
            response = await self._plugin.allocate(v1beta1.AllocateRequest(container_requests=[one]))
        return response.container_responses

    def close(self) -> None:
        self._channel.close()


async def dial(path: Path, *, patience: float, retry_every: float) -> PluginConnection:
    """
    Connect to the socket at *path*, and wait until somebody speaks HTTP/2 there.

    Raises:
        DialError: that took longer than *patience* seconds.
    """
    channel = _Channel(path)
    try:
        with fail_after(patience):
            while not await channel.is_answered():  # noqa: ASYNC110  nobody tells when a socket is listened to
                await sleep(retry_every)
    except TimeoutError:
        channel.close()
        raise DialError("failed to dial device plugin: context deadline exceeded") from None
    except BaseException:
        channel.close()
        raise
    return PluginConnection(channel)


class _Channel(Channel):
    """Says the same authority as the kubelet, and knows whether the other side has said anything."""

    def __init__(self, path: Path) -> None:
        super().__init__(path=str(path))
        self._authority = "localhost"

    async def is_answered(self) -> bool:
        try:
            protocol = await self.__connect__()
        except OSError:
            return False
        await cast("_Protocol", protocol).heard.wait()
        return self._connected

    def _protocol_factory(self) -> _Protocol:
        return _Protocol(super()._protocol_factory())


class _Protocol(H2Protocol):
    def __init__(self, plain: H2Protocol) -> None:
        super().__init__(plain.handler, plain.config, plain.h2_config)
        self.heard = Event()
        """Something has come, or nothing will."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.heard.set()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.heard.set()


@contextmanager
def _failing_as_in_go() -> Iterator[None]:
    try:
        yield
    except GRPCError as error:
        raise RpcError(error.status, error.message or "") from error
    except (StreamTerminatedError, ProtocolError, H2Error, OSError, AssertionError) as error:
        raise RpcError(Status.UNAVAILABLE, "error reading from server: EOF") from error
