"""One plugin for each resource that has something to offer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from anyio import create_task_group, sleep, sleep_forever, wait_all_tasks_blocked
from structlog.testing import capture_logs

from pcidevices.controllers.plugins import Plugins
from pcidevices.domain.device import Scan
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.offer import Offer
from pcidevices.domain.standing import Standing
from pcidevices.errors import KubeletAway
from pcidevices.registry import Registry
from pcidevices.runtime.latest import Latest
from tests.support.builders import NODE, a_gpu, a_nic, a_published
from tests.unit.domain.test_advertise import GPU, NAME, a_ready_claim, on_vfio


pytestmark = pytest.mark.anyio

CARD, NIC = on_vfio(a_gpu()), on_vfio(a_nic())


class OnePlugin:
    def __init__(self, offers: Latest[Offer]) -> None:
        self.offers = offers
        self.is_running = False
        self.compared: list[frozenset[str]] = []

    @property
    def told(self) -> frozenset[str]:
        return frozenset(str(one.address) for one in self.offers.value.devices if one.unhealthy is None)

    async def standing(self) -> Standing:
        return Standing(socket="here.sock", socket_found=True, is_registered=self.is_running)

    def compare(self, allocatable: frozenset[str]) -> None:
        self.compared.append(allocatable)

    async def run(self) -> None:
        self.is_running = True
        try:
            await sleep_forever()
        finally:
            self.is_running = False


class TheKubelet:
    """Implements the port `Kubelet`."""

    def __init__(self) -> None:
        self.plugins: list[OnePlugin] = []
        self.is_away = False

    def plugin(self, offers: Latest[Offer]) -> OnePlugin:
        self.plugins.append(OnePlugin(offers))
        return self.plugins[-1]

    async def held(self) -> tuple[HeldDevice, ...]:
        return ()

    async def allocatable(self) -> Mapping[str, frozenset[str]]:
        if self.is_away:
            raise KubeletAway("no answer")
        return {NAME: frozenset({GPU})}

    @property
    def running(self) -> list[str]:
        return [plugin.offers.value.resource_name for plugin in self.plugins if plugin.is_running]


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.replace_scan(Scan((CARD, NIC)))
    registry.replace_published([a_published(CARD), a_published(NIC)], 1)
    return registry


@asynccontextmanager
async def running(registry: Registry, kubelet: TheKubelet) -> AsyncIterator[Plugins]:
    plugins = Plugins(NODE, registry=registry, kubelet=kubelet)
    async with create_task_group() as tg:
        tg.start_soon(plugins.run)
        await wait_all_tasks_blocked()
        yield plugins
        tg.cancel_scope.cancel()


async def test_a_plugin_runs_while_a_device_of_its_resource_is_claimed(registry: Registry) -> None:
    kubelet = TheKubelet()
    async with running(registry, kubelet):
        assert kubelet.running == []
        registry.replace_claims([a_ready_claim(CARD)])
        await wait_all_tasks_blocked()
        assert kubelet.running == [NAME]

        registry.replace_claims([])
        await wait_all_tasks_blocked()
        assert kubelet.running == []

        registry.replace_claims([a_ready_claim(CARD)])
        await wait_all_tasks_blocked()
        assert kubelet.running == [NAME]


async def test_a_change_reaches_the_plugin_that_runs(registry: Registry) -> None:
    kubelet = TheKubelet()
    registry.replace_claims([a_ready_claim(CARD)])
    async with running(registry, kubelet) as plugins:
        assert plugins.is_advertised(CARD.address)

        registry.replace_scan(Scan((a_gpu(), NIC)))
        await wait_all_tasks_blocked()

        assert len(kubelet.plugins) == 1
        assert kubelet.plugins[0].offers.value.devices[0].unhealthy
        assert not plugins.is_advertised(CARD.address)


async def test_what_the_kubelet_counts_is_compared_now_and_then(registry: Registry) -> None:
    kubelet = TheKubelet()
    registry.replace_claims([a_ready_claim(CARD)])
    async with running(registry, kubelet):
        kubelet.is_away = True
        await sleep(11)
        assert kubelet.plugins[0].compared == []

        kubelet.is_away = False
        await sleep(10)
        assert kubelet.plugins[0].compared == [frozenset({GPU})]


async def test_at_the_end_all_plugins_have_ended(registry: Registry) -> None:
    kubelet = TheKubelet()
    registry.replace_claims([a_ready_claim(CARD), a_ready_claim(NIC)])
    async with running(registry, kubelet):
        assert len(kubelet.running) == 2

    assert kubelet.running == []


async def test_what_cannot_be_offered_is_told_once_and_looked_at_when_it_is_and_when_it_was(
    registry: Registry,
) -> None:
    looked_at: list[set[str]] = []
    registry.replace_published([a_published(CARD, resource_name="Not/valid"), a_published(NIC)], 1)
    plugins = Plugins(
        NODE,
        registry=registry,
        kubelet=TheKubelet(),
        look_at=lambda addresses: looked_at.append(set(map(str, addresses))),
    )
    registry.replace_claims([a_ready_claim(CARD)])
    async with create_task_group() as tg:
        with capture_logs() as logs:
            await tg.start(plugins.run)
            registry.replace_claims([a_ready_claim(CARD), a_ready_claim(NIC)])
            await wait_all_tasks_blocked()

        refusal = plugins.refusal(CARD.address)
        assert refusal is not None
        assert refusal.reason == "ResourceNameInvalid"
        assert plugins.refusal(NIC.address) is None
        assert [(line["event"], line["reason"]) for line in logs] == [("resource.refused", "ResourceNameInvalid")]
        assert looked_at == [{GPU}]

        registry.replace_published([a_published(CARD), a_published(NIC)], 2)
        await wait_all_tasks_blocked()
        assert plugins.refusal(CARD.address) is None
        assert looked_at == [{GPU}, {GPU}]
        tg.cancel_scope.cancel()


async def test_the_name_goes_to_the_next_when_the_first_is_released(registry: Registry) -> None:
    kubelet = TheKubelet()
    registry.replace_published(
        [a_published(CARD, resource_name="a.com/card"), a_published(NIC, resource_name="a.com/CARD")], 1
    )
    first, second = a_ready_claim(CARD, created="2026-01-01T00:00:00Z"), a_ready_claim(NIC, created="2026-01-02")
    registry.replace_claims([first, second])
    async with running(registry, kubelet):
        assert kubelet.running == ["a.com/card"]

        registry.replace_claims([second])
        await wait_all_tasks_blocked()
        assert kubelet.running == ["a.com/CARD"]


async def test_a_plugin_keeps_its_devices_while_somebody_has_deleted_their_objects(registry: Registry) -> None:
    kubelet = TheKubelet()
    registry.replace_claims([a_ready_claim(CARD)])
    async with running(registry, kubelet):
        before = kubelet.plugins[0].offers.value
        registry.replace_published([], 2)
        await wait_all_tasks_blocked()

        assert kubelet.running == [NAME]
        assert kubelet.plugins[0].offers.value == before
