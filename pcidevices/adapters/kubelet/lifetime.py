"""
One resource's device plugin for as long as the program runs.

The kubelet never comes back by itself: when the stream ends, whatever the reason, the resource is gone until somebody
registers it again. And it forgets a new registration when an old connection ends after it. So everything that can
go wrong has one answer, a new turn: close all that is open, listen, register, wait for the stream, wait for its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import structlog

from anyio import TASK_STATUS_IGNORED, current_time, move_on_after, sleep
from anyio.abc import TaskStatus

from pcidevices import metrics
from pcidevices.api.reasons import Reason
from pcidevices.domain.offer import Offer
from pcidevices.domain.resourcename import socket_name
from pcidevices.domain.standing import Standing
from pcidevices.errors import KubeletAway, KubeletError, PciDevicesError
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.latest import Latest

from .codec import Encoder
from .plugin import PluginService
from .registration import KUBELET_SOCKET, TIMEOUT, register
from .server import GRACE, Listening, Made, made, serving


log = structlog.get_logger()

FOLDER = Path("/var/lib/kubelet/device-plugins")
"""Where every kubelet has it; its root directory does not move it."""
_MOST_PATIENT = 600.0
_GONE = "the plugin's socket is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things may take, in seconds."""

    register: float = TIMEOUT
    stream: float = 5.0
    """After a registration, until the kubelet asks for the devices."""
    look: float = 1.0
    """Between looks at the sockets' files."""
    lived: float = 5.0
    """A stream that lasted so long was a good one. The kubelet's count is compared when it has had so long to count."""
    grace: float = GRACE
    backoff: Backoff = field(default=Backoff(0.1, 10.0))


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a turn ended."""

    why: str
    lived: bool = False
    error: PciDevicesError | None = None


class DevicePlugin:
    """Offers one resource to the kubelet. Nothing that the kubelet does, or does not do, ends it."""

    def __init__(self, offers: Latest[Offer], *, folder: Path = FOLDER, pace: Pace | None = None) -> None:
        self.resource_name = offers.value.resource_name
        self.socket = folder / socket_name(self.resource_name, folder=str(folder))
        self._offers = offers
        self._folder = folder
        self._pace = pace or Pace()
        self._encoder = Encoder()
        self._service: PluginService | None = None
        self._failures = 0
        self._doubts = 0
        self._last_told = ""
        self._ended: _Ended | None = None

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """
        Turn after turn, until cancelled; then the streams end in order and the socket is removed.

        It has started when it has registered, or failed to, once: a kubelet that is away keeps nobody waiting.
        """
        try:
            await self._turns([task_status])
        finally:
            metrics.PLUGIN_REGISTERED.remove(self.resource_name)

    async def _turns(self, first: list[TaskStatus[None]]) -> None:
        while True:
            kubelet = await made(self._folder / KUBELET_SOCKET)
            try:
                ended = await self._turn(kubelet, first)
            except Exception:
                log.exception("plugin.crashed", resource=self.resource_name)
                ended = _Ended("it crashed")
            self._ended = ended
            self._failures = 0 if ended.lived else self._failures + 1
            retry_in = round(self._pace.backoff(max(0, self._failures - 1)), 3)
            self._tell(ended, retry_in)
            _started(first)
            await self._rest(retry_in, kubelet)

    @property
    def told(self) -> frozenset[str]:
        """The ids of the devices that the kubelet takes for healthy, as far as we have told it."""
        service = self._service
        return service.told.healthy.ids if service is not None and service.told is not None else frozenset()

    def tell_again(self) -> None:
        """Tell the kubelet of the same devices once more; after that it writes down anew what it has given away."""
        if self._service is not None:
            self._service.tell_again()

    async def standing(self) -> Standing:
        """How it stands with the kubelet now, for a person who asks."""
        service, ended = self._service, self._ended
        reason = "" if ended is None or ended.error is None else ended.error.reason
        if ended is not None and ended.why == _GONE:
            reason = Reason.SOCKET_GONE
        is_registered = service is not None and service.streamed.is_set() and service.over.value is None
        return Standing(
            socket=str(self.socket),
            socket_found=await made(self.socket) is not None,
            is_registered=is_registered,
            reason="" if is_registered else reason,
            message="" if is_registered or ended is None else ended.why,
        )

    def compare(self, allocatable: frozenset[str]) -> None:
        """
        Hear what the kubelet calls allocatable (GetAllocatableResources); begin a new turn if it should know better.

        It should when it was told something else a while ago. A kubelet that disagrees even after a new turn is given
        more and more time.
        """
        service = self._service
        if service is None or service.told is None:
            return
        if service.told.healthy.ids == allocatable:
            self._doubts = 0
            return
        patience = min(self._pace.lived * 2.0 ** min(self._doubts, 60), _MOST_PATIENT)
        if current_time() - service.told.at >= patience and service.over.value is None:
            self._doubts += 1
            service.over.set("the kubelet counts other devices than it was told")

    async def _turn(self, kubelet: Made | None, first: list[TaskStatus[None]]) -> _Ended:
        service = self._service = PluginService(self._offers, self._encoder)
        metrics.PLUGIN_REGISTERED.labels(self.resource_name).set(0)
        try:
            return await self._serve(service, kubelet, first)
        finally:
            self._service = None
            metrics.PLUGIN_REGISTERED.labels(self.resource_name).set(0)

    async def _serve(self, service: PluginService, kubelet: Made | None, first: list[TaskStatus[None]]) -> _Ended:
        try:
            if kubelet is None:
                raise KubeletAway(f"{self._folder / KUBELET_SOCKET} does not exist; is the kubelet running?")
            async with serving(service, self.socket, grace=self._pace.grace) as listening:
                try:
                    await register(
                        self._folder,
                        self.resource_name,
                        self.socket.name,
                        is_there=listening.is_there,
                        timeout=self._pace.register,
                    )
                    log.info("plugin.registered", resource=self.resource_name, socket=str(self.socket))
                    metrics.REGISTRATIONS.labels("registered").inc()
                    metrics.PLUGIN_REGISTERED.labels(self.resource_name).set(1)
                    self._last_told = ""
                    _started(first)
                    return await self._end_of_stream(service, listening, kubelet)
                finally:
                    service.end()
        except KubeletError as error:
            metrics.REGISTRATIONS.labels(error.reason).inc()
            return _Ended(str(error), error=error)

    async def _end_of_stream(self, service: PluginService, listening: Listening, kubelet: Made) -> _Ended:
        with move_on_after(self._pace.stream):
            await service.streamed.wait()
        if not service.streamed.is_set():
            return _Ended("the kubelet does not ask for the devices")
        since = current_time()
        while service.over.value is None:
            with move_on_after(self._pace.look):
                await service.over.wait_for(lambda why: why is not None)
                break
            if not await listening.is_there():
                service.over.set(_GONE)
            elif await made(self._folder / KUBELET_SOCKET) not in {kubelet, None}:
                service.over.set("the kubelet has started anew")
        return _Ended(service.over.value or "", lived=current_time() - since >= self._pace.lived)

    async def _rest(self, seconds: float, before: Made | None) -> None:
        """Wait; but a kubelet that has started meanwhile is not kept waiting."""
        deadline = current_time() + seconds
        while (left := deadline - current_time()) > 0:
            await sleep(min(left, self._pace.look))
            if await made(self._folder / KUBELET_SOCKET) not in {before, None}:
                self._failures = 0
                return

    def _tell(self, ended: _Ended, retry_in: float) -> None:
        facts = {"resource": self.resource_name, "retry_in": retry_in}
        again = ended.why == self._last_told
        self._last_told = ended.why
        match ended.error:
            case None:
                log.info("plugin.ended", why=ended.why, **facts)
            case error if again:
                log.debug("plugin.unregistered", reason=error.reason, error=ended.why, **facts)
            case error if error.terminal:
                log.error("plugin.unregistered", reason=error.reason, error=ended.why, **facts)
            case error:
                log.warning("plugin.unregistered", reason=error.reason, error=ended.why, **facts)


def _started(first: list[TaskStatus[None]]) -> None:
    while first:
        first.pop().started()
