"""What the kubelet asks of one resource's device plugin: a view of the offer, without a state of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from typing import Any, TypeVar

import structlog

from anyio import Event, current_time
from grpclib import GRPCError, Status
from grpclib.server import Stream

from pcidevices import metrics
from pcidevices.domain.allocation import Allocation, Refusal, RefusalKind, allocate
from pcidevices.domain.offer import Offer
from pcidevices.domain.preference import prefer
from pcidevices.kubeletapi import v1beta1
from pcidevices.runtime.latest import Latest

from .codec import Encoder, Frame, Healthy
from .wire import AllocateRequest, PreferredAllocationRequest, allocated, preferred


log = structlog.get_logger()

Q = TypeVar("Q")
R = TypeVar("R")

OPTIONS = v1beta1.DevicePluginOptions(pre_start_required=False, get_preferred_allocation_available=True)

_STATUS = {
    RefusalKind.MALFORMED: Status.INVALID_ARGUMENT,
    RefusalKind.UNKNOWN: Status.NOT_FOUND,
    RefusalKind.NOT_READY: Status.FAILED_PRECONDITION,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What the kubelet was last told, and since when (on the event loop's clock)."""

    healthy: Healthy
    at: float


def _answering(
    method: Callable[[PluginService, Q], Awaitable[R]],
) -> Callable[[PluginService, Q | None], Coroutine[None, None, R]]:
    @wraps(method)
    async def answer(self: PluginService, request: Q | None) -> R:
        if request is None:
            raise GRPCError(Status.INVALID_ARGUMENT, "the call has no message")
        with _crashes_told(self.resource_name, method.__name__):
            return await method(self, request)

    return answer


@contextmanager
def _crashes_told(resource_name: str, call: str) -> Iterator[None]:
    """A crash is told in our log, and answered."""
    try:
        yield
    except GRPCError:
        raise
    except Exception as error:
        log.exception("call.crashed", resource=resource_name, call=call)
        raise GRPCError(Status.INTERNAL, "a defect of pcidevices; its log says more") from error


class PluginService(v1beta1.DevicePluginBase):
    """
    The service, for one turn: from listening until the server is closed.

    The stream that comes first is the kubelet's, which dials while it registers us; its end is the turn's. Others may
    come and go.
    """

    def __init__(self, offers: Latest[Offer], encoder: Encoder) -> None:
        self.resource_name = offers.value.resource_name
        self.streamed = Event()
        """The first stream has its first frame."""
        self.over: Latest[str | None] = Latest(None)
        """Why the turn should end, as soon as there is a reason."""
        self.told: Told | None = None
        self._offers = offers
        self._encoder = encoder
        self._times = 0
        """How often it is to be told of the same devices once more."""
        self._is_ending = False
        self._first: object | None = None

    def tell_again(self) -> None:
        """Let the kubelet hear once more what it was told last."""
        self._times += 1
        self._offers.stir()

    def end(self) -> None:
        """Let all streams end in order."""
        self._is_ending = True
        self._offers.stir()

    def __mapping__(self) -> dict[str, Any]:
        mapping: dict[str, Any] = super().__mapping__()
        for method, answer, request_type in (
            ("ListAndWatch", self._list_and_watch, v1beta1.Empty),
            ("GetPreferredAllocation", self._prefer, PreferredAllocationRequest),
            ("Allocate", self._allocate, AllocateRequest),
        ):
            name = f"/v1beta1.DevicePlugin/{method}"
            mapping[name] = mapping[name]._replace(func=answer, request_type=request_type)
        return mapping

    async def _list_and_watch(self, stream: Stream[v1beta1.Empty, Any]) -> None:
        """All devices at once, and again after each change; what a slow reader misses has merged."""
        await stream.recv_message()
        if self._first is None:
            self._first = stream
        try:
            async with aclosing(self._frames()) as frames:
                async for frame in frames:
                    await stream.send_message(frame.wire)
                    if self._first is stream:
                        if self.told is None or self.told.healthy is not frame.healthy:
                            self.told = Told(frame.healthy, current_time())
                        self.streamed.set()
        finally:
            if self._first is stream and self.over.value is None:
                self.over.set("the kubelet's stream ended")

    async def _frames(self) -> AsyncGenerator[Frame, None]:
        """One stream's; a change that the kubelet would not see makes none."""
        told: tuple[bytes, int] | None = None
        async with aclosing(self._offers.values()) as offers:
            async for offer in offers:
                if self._is_ending:
                    return
                with _crashes_told(self.resource_name, "list_and_watch"):
                    frame = await self._encoder.frame(offer)
                if told != (telling := (frame.wire, self._times)):
                    told = telling
                    yield frame

    async def get_device_plugin_options(self, empty: v1beta1.Empty) -> v1beta1.DevicePluginOptions:  # noqa: ARG002
        return OPTIONS

    async def pre_start_container(
        self,
        pre_start_container_request: v1beta1.PreStartContainerRequest,  # noqa: ARG002
    ) -> v1beta1.PreStartContainerResponse:
        return v1beta1.PreStartContainerResponse()

    async def _prefer(self, stream: Stream[PreferredAllocationRequest, Any]) -> None:
        await stream.send_message(await self._preferred(await stream.recv_message()))

    async def _allocate(self, stream: Stream[AllocateRequest, Any]) -> None:
        await stream.send_message(await self._allocated(await stream.recv_message()))

    @_answering
    async def _preferred(self, request: PreferredAllocationRequest) -> bytes:
        offer = self._offers.value
        return preferred(prefer(offer, one.available, one.must_include, one.size) for one in request.containers)

    @_answering
    async def _allocated(self, request: AllocateRequest) -> bytes:
        offer = self._offers.value
        # All at once first: no device goes to two containers of one request.
        together = self._granted(allocate(offer, chain.from_iterable(request.containers)))
        each = (
            [together]
            if len(request.containers) == 1
            else [self._granted(allocate(offer, ids)) for ids in request.containers]
        )
        if together.addresses:
            log.info("device.allocated", resource=self.resource_name, addresses=together.addresses)
            metrics.ALLOCATIONS.labels("granted").inc()
        return allocated(each)

    def _granted(self, answer: Allocation | Refusal) -> Allocation:
        if isinstance(answer, Refusal):
            log.warning("allocation.refused", resource=self.resource_name, error=answer.message)
            metrics.ALLOCATIONS.labels("refused").inc()
            raise GRPCError(_STATUS[answer.kind], answer.message)
        return answer
