"""Which look each observation asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from anyio import create_task_group, move_on_after, wait_all_tasks_blocked

from pcidevices.domain.claim import Claim
from pcidevices.domain.device import Scan, Unreadable
from pcidevices.domain.published import Node, PublishedDevice
from pcidevices.errors import SysfsUnreadable
from pcidevices.feeds import CLAIMS, INVENTORY, Feeds
from pcidevices.ports import Listing
from pcidevices.registry import Registry
from pcidevices.runtime.controller import Request
from pcidevices.runtime.latest import Latest
from pcidevices.runtime.workqueue import WorkQueue
from tests.support.builders import NODE, a_claim, a_gpu, a_nic, a_node, a_published


GPU, NIC = a_gpu(), a_nic()
GPU_NAME, NIC_NAME = (device.address.object_name(NODE) for device in (GPU, NIC))
NOTHING_YET: Any = None


class Source:
    """A port that tells what a test has it tell; nothing at first."""

    def __init__(self) -> None:
        self._told: Latest[Any] = Latest(NOTHING_YET)

    def tell(self, scan_or_listing: object) -> None:
        self._told.set(scan_or_listing)

    async def scans(self) -> AsyncIterator[Scan]:
        async for scan in self._told.values():
            if scan is not NOTHING_YET:
                yield scan

    async def lists(self) -> AsyncIterator[Listing[Any]]:
        async for listing in self._told.values():
            if listing is not NOTHING_YET:
                yield listing


class Desk:
    """Feeds that write one registry and ask one queue."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.queue: WorkQueue[Request] = WorkQueue(lambda _: 0.0)
        self.feeds = Feeds(NODE, self.registry, self.queue.add)

    async def asked(self, controller: str) -> list[str]:
        """The names in the queue that are for this controller; all are taken from it."""
        names: list[str] = []
        while len(self.queue):
            async with self.queue.take() as request:
                names += [request.name] if request.controller == controller else []
        return names

    async def after(
        self, feed: Callable[..., Coroutine[Any, Any, Any]], *told: object, of: str = INVENTORY
    ) -> list[list[str]]:
        """What each of these observations asks of the controller *of*."""
        source, asked = Source(), []
        source.tell(told[0])
        async with create_task_group() as tg:
            await tg.start(feed, source)
            asked.append(await self.asked(of))
            for observation in told[1:]:
                source.tell(observation)
                await wait_all_tasks_blocked()
                asked.append(await self.asked(of))
            tg.cancel_scope.cancel()
        return asked


def listing(*items: PublishedDevice | Claim | Node, version: int = 1) -> Listing[Any]:
    return Listing(items, version)


async def test_a_device_that_changed_concerns_its_object() -> None:
    desk = Desk()

    asked = await desk.after(
        desk.feeds.hardware, Scan((GPU, NIC)), Scan((replace(GPU, driver=None), NIC)), Scan((NIC,)), Scan((NIC,))
    )

    assert asked == [[GPU_NAME, NIC_NAME], [GPU_NAME], [GPU_NAME], []]


async def test_an_unreadable_device_concerns_its_object_and_a_nameless_one_nothing() -> None:
    desk = Desk()

    asked = await desk.after(
        desk.feeds.hardware, Scan((), (Unreadable(str(GPU.address), "mad"), Unreadable("what", "no address")))
    )

    assert asked == [[GPU_NAME]]


async def test_an_object_that_changed_is_looked_at() -> None:
    desk = Desk()
    gpu = a_published(GPU)

    asked = await desk.after(
        desk.feeds.published,
        listing(gpu),
        listing(gpu, version=2),
        listing(replace(gpu, resource_version="3"), version=3),
        listing(version=4),
    )

    assert asked == [[GPU_NAME], [], [GPU_NAME], [GPU_NAME]]


async def test_a_claim_concerns_the_object_of_its_device_when_it_comes_and_when_it_goes() -> None:
    desk = Desk()
    moved = replace(a_claim(NIC), name=a_claim(GPU).name)

    asked = await desk.after(desk.feeds.claims, listing(a_claim(GPU)), listing(moved), listing())

    assert asked == [[GPU_NAME], [GPU_NAME, NIC_NAME], [NIC_NAME]]


async def test_a_claim_concerns_itself_and_all_others_for_its_device() -> None:
    desk = Desk()
    first, second = a_claim(GPU, name="first"), a_claim(GPU, name="second")

    asked = await desk.after(
        desk.feeds.claims, listing(first), listing(first, second, a_claim(NIC, name="nic")), listing(second), of=CLAIMS
    )

    assert asked == [["first"], ["first", "nic", "second"], ["first", "nic", "second"]]


async def test_a_device_that_changed_concerns_the_claims_of_its_whole_iommu_group() -> None:
    """A sibling on a host driver keeps the others from virtual machines."""
    members = (GPU.address, NIC.address)
    gpu, nic = replace(GPU, iommu_group_members=members), replace(NIC, iommu_group_members=members)
    desk = Desk()
    desk.registry.replace_claims([a_claim(GPU, name="gpu")])

    asked = await desk.after(
        desk.feeds.hardware, Scan((gpu, nic)), Scan((gpu, replace(nic, driver=None))), Scan((GPU,)), of=CLAIMS
    )

    assert asked == [["gpu"], ["gpu"], ["gpu"]]


async def test_a_look_at_a_device_asks_once_and_all_but_who_looked() -> None:
    """The claim of the other one in its IOMMU group may be viable now."""
    desk = Desk()
    gpu, nic = (replace(d, iommu_group_members=(GPU.address, NIC.address)) for d in (GPU, NIC))
    desk.registry.replace_scan(Scan((gpu, nic), begun=1.0))
    desk.registry.replace_claims([replace(a_claim(GPU), name="gpu"), replace(a_claim(NIC), name="nic")])

    desk.feeds.looked(replace(nic, driver="vfio-pci"), 2.0, by="nic")
    assert await desk.asked(INVENTORY) == [NIC_NAME]
    desk.feeds.looked(replace(nic, driver=None), 3.0, by="nic")
    assert await desk.asked(CLAIMS) == ["gpu"]
    desk.feeds.looked(replace(nic, driver=None), 4.0, by="nic")
    assert len(desk.queue) == 0


async def test_another_node_concerns_every_object_there_is_or_should_be() -> None:
    desk = Desk()
    desk.registry.replace_scan(Scan((GPU,)))
    desk.registry.replace_published([a_published(NIC)], 1)

    asked = await desk.after(
        desk.feeds.node, listing(a_node()), listing(a_node()), listing(a_node(uid="node-2")), listing()
    )

    assert asked == [[GPU_NAME, NIC_NAME], [], [GPU_NAME, NIC_NAME], [GPU_NAME, NIC_NAME]]


@pytest.mark.parametrize("feed", ["hardware", "published", "claims", "node"])
async def test_a_feed_is_started_once_its_first_whole_list_is_in(feed: str) -> None:
    desk, source = Desk(), Source()
    async with create_task_group() as tg:
        with move_on_after(0.01) as scope:
            await tg.start(getattr(desk.feeds, feed), source)

    assert scope.cancelled_caught


async def test_hardware_that_cannot_be_seen_ends_the_feed() -> None:
    """A blind controller is worse than none."""

    class Blind:
        async def scans(self) -> AsyncIterator[Scan]:
            raise SysfsUnreadable("there is no PCI bus")
            yield Scan(())

    desk = Desk()

    with pytest.raises(SysfsUnreadable):
        await desk.feeds.hardware(Blind())
