"""Offer what is claimed to the kubelet: one plugin for each resource name that has something to offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from anyio import TASK_STATUS_IGNORED, CancelScope, create_task_group, sleep
from anyio.abc import TaskGroup, TaskStatus

from pcidevices.domain.address import PciAddress
from pcidevices.domain.advertise import Advertised, advertised
from pcidevices.domain.conditions import Finding
from pcidevices.domain.offer import Offer
from pcidevices.domain.standing import OfferSeen
from pcidevices.errors import KubeletError
from pcidevices.ports import Kubelet, Plugin
from pcidevices.registry import Registry
from pcidevices.runtime.latest import Latest


log = structlog.get_logger()

ASK_EVERY = 10.0
"""Seconds between two questions to the kubelet, which rejects bursts. Asked only while there are plugins."""


@dataclass(frozen=True, slots=True)
class _Running:
    plugin: Plugin
    offers: Latest[Offer]
    scope: CancelScope


class Plugins:
    """
    Follows the registry. A plugin has no state of its own: it is a view of the latest offer.

    What the kubelet says it can give away is asked now and then, and compared with what it was told.
    """

    def __init__(
        self,
        node_name: str,
        *,
        registry: Registry,
        kubelet: Kubelet,
        look_at: Callable[[Iterable[PciAddress]], object] = lambda _: None,
        ask_every: float = ASK_EVERY,
    ) -> None:
        self._node_name = node_name
        self._registry = registry
        self._kubelet = kubelet
        self._look_at = look_at
        self._ask_every = ask_every
        self._running: dict[str, _Running] = {}
        self._found = Advertised()

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """For ever; cancelled, all plugins end in order. It has started when it knows what cannot be offered."""
        async with create_task_group() as tg:
            tg.start_soon(self._compare)
            started = False
            async for view in self._registry.snapshots():
                before = self._found
                self._found = advertised(
                    view.devices,
                    view.claims.values(),
                    view.published,
                    view.held,
                    node_name=self._node_name,
                    before=before,
                )
                self._refuse(before.refused)
                for name in self._running.keys() - self.offers.keys():
                    self._running.pop(name).scope.cancel()
                for name, offer in self.offers.items():
                    self._offer(name, offer, tg)
                if not started:
                    started = True
                    task_status.started()

    @property
    def offers(self) -> Mapping[str, Offer]:
        """What is offered now, by the resource's name; never changed, so that it may be read by any thread."""
        return self._found.offers

    def refusal(self, address: PciAddress) -> Finding | None:
        """Why a claimed device cannot be offered under its name; None when it can."""
        return self._found.refused.get(address)

    def is_advertised(self, address: PciAddress) -> bool:
        """Whether the kubelet may still take the device for one that it can give away."""
        return any(str(address) in running.plugin.told for running in self._running.values())

    async def seen(self, address: PciAddress) -> OfferSeen | None:
        """What the kubelet is offered of a device; None when it is not offered at all."""
        for name, running in list(self._running.items()):
            offer = running.offers.value
            if (device := offer.device(str(address))) is not None:
                offered = frozenset(str(one.address) for one in offer.devices)
                standing = await running.plugin.standing()
                return OfferSeen(resource_name=name, standing=standing, unhealthy=device.unhealthy, offered=offered)
        return None

    def _refuse(self, before: Mapping[PciAddress, Finding]) -> None:
        """Tell in the log what is refused anew, and have looked at what is, or was."""
        refused = self._found.refused
        for finding in {finding: None for at, finding in refused.items() if before.get(at) != finding}:
            log.warning("resource.refused", reason=finding.reason, error=finding.message)
        changed = {at for at in before.keys() | refused.keys() if before.get(at) != refused.get(at)}
        if changed:
            self._look_at(changed)

    def _offer(self, name: str, offer: Offer, tg: TaskGroup) -> None:
        running = self._running.get(name)
        if running is None:
            latest = Latest(offer)
            running = self._running[name] = _Running(self._kubelet.plugin(latest), latest, CancelScope())
            tg.start_soon(_run, running)
        elif running.offers.value != offer:
            running.offers.set(offer)

    async def _compare(self) -> None:
        while True:
            await sleep(self._ask_every)
            if not self._running:
                continue
            try:
                allocatable = await self._kubelet.allocatable()
            except KubeletError as error:
                log.debug("kubelet.silent", reason=error.reason, error=str(error))
                continue
            for name, running in self._running.items():
                running.plugin.compare(allocatable.get(name, frozenset()))


async def _run(running: _Running) -> None:
    with running.scope:
        await running.plugin.run()
