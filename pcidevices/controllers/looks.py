"""Answer whoever asks for a fresh look at a device."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog

from anyio import current_time

from pcidevices import __version__
from pcidevices.domain.address import PciAddress
from pcidevices.domain.look import Around, KubeletSeen, is_asked, look_of
from pcidevices.domain.published import PublishedDevice
from pcidevices.errors import KubeletError, NotFound
from pcidevices.ports import Control, Devices, Kubelet
from pcidevices.registry import Registry
from pcidevices.runtime.controller import CHANGED, SETTLED, Result
from pcidevices.runtime.tokenbucket import TokenBucket

from .plugins import Plugins
from .written import WATCH_PATIENCE, Written


log = structlog.get_logger()

_PAUSE = 1.0
"""Seconds between two looks at one device."""
_RATE, _BURST = 5.0, 20
"""Looks a second at all devices of the node, however many are asked for."""


class LookReconciler:
    """
    Reconciles the answer in one PCIDevice with what is asked there, named by the object's name.

    Nobody asks, and nothing is read or written. Who asks faster than it may be answered is told what the last one
    asked for.
    """

    def __init__(  # noqa: PLR0913  all that it looks at
        self,
        node_name: str,
        *,
        simulated: bool,
        registry: Registry,
        devices: Devices,
        control: Control,
        kubelet: Kubelet,
        plugins: Plugins,
        hint: Callable[[str], object],
        now: Callable[[], str],
    ) -> None:
        self._node_name = node_name
        self._simulated = simulated
        self._registry = registry
        self._devices = devices
        self._control = control
        self._kubelet = kubelet
        self._plugins = plugins
        self._hint = hint
        self._now = now
        self._looked_at: dict[str, float] = {}
        self._written = Written()
        self._bucket = TokenBucket(rate=_RATE, burst=_BURST)

    async def reconcile(self, name: str) -> Result:
        published = self._registry.snapshot.published.get(name)
        address = PciAddress.of_object_name(name, self._node_name)
        if published is None or address is None:
            self._looked_at.pop(name, None)
            return SETTLED
        if not is_asked(published) or published.is_simulated != self._simulated:
            return SETTLED
        if self._written.is_ahead_of(name, published.version):
            return Result(requeue_after=WATCH_PATIENCE)
        if (wait := self._looked_at.get(name, float("-inf")) + _PAUSE - current_time()) > 0:
            return Result(requeue_after=wait)
        await self._bucket.take()
        self._looked_at[name] = current_time()
        return await self._answer(name, published, address)

    async def _answer(self, name: str, published: PublishedDevice, address: PciAddress) -> Result:
        view = self._registry.snapshot
        around = Around(
            iommu_enabled=any(device.iommu_group is not None for device in view.devices.values()),
            kubelet=await self._ask_the_kubelet(),
            offer=await self._plugins.seen(address),
            said=published.status,
        )
        sight = await self._control.look(address)
        look = look_of(sight, around, request=published.look_asked, now=self._now(), version=__version__)
        if look.outdated:
            self._hint("look")
        status = msgspec.structs.replace(published.status, look=look)
        try:
            written = await self._devices.write_status(published, status)
        except NotFound:
            return SETTLED
        self._written.add(name, written.version)
        log.debug("look.answered", address=str(address), request=look.request)
        return CHANGED

    async def _ask_the_kubelet(self) -> KubeletSeen:
        try:
            allocatable = await self._kubelet.allocatable()
            return KubeletSeen(allocatable=allocatable, held=await self._kubelet.held())
        except KubeletError as error:
            return KubeletSeen(problem=str(error))
