"""Offer what is claimed to the kubelet: one plugin for each resource name that has something to offer."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from anyio import CancelScope, create_task_group, sleep
from anyio.abc import TaskGroup

from pcidevices.domain.address import PciAddress
from pcidevices.domain.advertise import offers
from pcidevices.domain.offer import Offer
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

    def __init__(self, node_name: str, *, registry: Registry, kubelet: Kubelet, ask_every: float = ASK_EVERY) -> None:
        self._node_name = node_name
        self._registry = registry
        self._kubelet = kubelet
        self._ask_every = ask_every
        self._running: dict[str, _Running] = {}

    async def run(self) -> None:
        """For ever; cancelled, all plugins end in order."""
        async with create_task_group() as tg:
            tg.start_soon(self._compare)
            async for view in self._registry.snapshots():
                wanted = offers(
                    view.devices, view.claims.values(), view.published, view.held, node_name=self._node_name
                )
                for name in self._running.keys() - wanted.keys():
                    self._running.pop(name).scope.cancel()
                for name, offer in wanted.items():
                    self._offer(name, offer, tg)

    def is_advertised(self, address: PciAddress) -> bool:
        """Whether the kubelet may still take the device for one that it can give away."""
        return any(str(address) in running.plugin.told for running in self._running.values())

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
