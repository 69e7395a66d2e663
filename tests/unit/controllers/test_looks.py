"""Whoever asks for a fresh look gets one, and nobody else pays for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from anyio import current_time, sleep

from pcidevices.api.v1beta1 import Look
from pcidevices.controllers.looks import LookReconciler
from pcidevices.controllers.plugins import Plugins
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import Scan
from pcidevices.domain.sight import HostUse, Sight
from pcidevices.errors import Conflict
from pcidevices.feeds import published_requests
from pcidevices.registry import Registry
from pcidevices.runtime.controller import CHANGED, SETTLED, Result
from tests.support.builders import NODE, a_gpu, a_published

from .claim_scene import ToldKubelet
from .cluster import Cluster


pytestmark = pytest.mark.anyio

GPU = a_gpu()
NAME = GPU.address.object_name(NODE)


@dataclass
class Seen:
    """The port `Control`, for looks alone."""

    sight: Sight
    looks: int = 0

    async def look(self, address: PciAddress) -> Sight:
        assert address == self.sight.address
        self.looks += 1
        return self.sight

    async def take(self, step: object) -> None:
        raise AssertionError(f"a look takes no step, and not {step}")


@dataclass
class Asking:
    """One PCIDevice, its agent, and a person who asks."""

    simulated: bool = False
    cluster: Cluster = field(default_factory=Cluster)
    control: Seen = field(default_factory=lambda: Seen(Sight(address=GPU.address, device=GPU)))
    kubelet: ToldKubelet = field(default_factory=ToldKubelet)
    registry: Registry = field(default_factory=Registry)
    hints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster.put(a_published(GPU))
        self.registry.replace_scan(Scan((GPU,)))
        self.catch_up()
        self.reconciler = LookReconciler(
            NODE,
            simulated=self.simulated,
            registry=self.registry,
            devices=self.cluster,
            control=self.control,
            kubelet=self.kubelet,
            plugins=Plugins(NODE, registry=self.registry, kubelet=self.kubelet),
            hint=self.hints.append,
            now=lambda: "2026-03-04T05:06:07Z",
        )

    def catch_up(self) -> frozenset[str]:
        listing = self.cluster.listing
        return self.registry.replace_published(listing.items, listing.version)

    def ask(self, nonce: str) -> None:
        self.cluster.edit(NAME, look_asked=nonce)
        self.catch_up()

    async def reconcile(self) -> Result:
        result = await self.reconciler.reconcile(NAME)
        self.catch_up()
        return result

    @property
    def answer(self) -> Look | None:
        return self.cluster.objects[NAME].status.look


async def test_a_question_is_answered_with_its_nonce_and_what_is_seen() -> None:
    asking = Asking()
    asking.control.sight = Sight(address=GPU.address, device=GPU, override="pci-stub", host_uses=(HostUse("so it is"),))
    asking.ask("one")

    assert await asking.reconcile() == CHANGED

    answer = asking.answer
    assert answer is not None
    assert (answer.request, answer.kernel_driver_in_use, answer.driver_override) == ("one", "nvidia", "pci-stub")
    assert (answer.found, answer.iommu_enabled, answer.iommu_group) == (True, True, "14")
    assert answer.host_uses == ("so it is",)


async def test_nobody_asks_and_nothing_is_read_or_written() -> None:
    asking = Asking()
    before = asking.cluster.version

    assert await asking.reconcile() == SETTLED
    assert (asking.control.looks, asking.cluster.version) == (0, before)


async def test_what_is_answered_is_not_answered_again() -> None:
    asking = Asking()
    asking.ask("one")
    await asking.reconcile()

    assert await asking.reconcile() == SETTLED
    assert asking.control.looks == 1


async def test_a_device_is_looked_at_once_a_second_at_the_most_and_the_last_question_is_answered() -> None:
    asking = Asking()
    asking.ask("one")
    await asking.reconcile()
    for number in range(50):
        asking.ask(f"nonce {number}")
        result = await asking.reconcile()
        assert result.requeue_after is not None
        assert result.requeue_after <= 1

    await sleep(1)
    assert await asking.reconcile() == CHANGED
    assert asking.answer is not None
    assert (asking.answer.request, asking.control.looks) == ("nonce 49", 2)


async def test_a_nonce_without_end_is_not_answered() -> None:
    asking = Asking()
    asking.ask("x" * 65)

    assert await asking.reconcile() == SETTLED


async def test_a_person_who_never_stops_asking_is_answered_once_a_second() -> None:
    asking = Asking()
    started = current_time()
    for number in range(40):
        asking.ask(str(number))
        if (wait := (await asking.reconcile()).requeue_after) is not None:
            await sleep(wait)
            assert await asking.reconcile() == CHANGED

    assert asking.control.looks == 40
    assert current_time() - started >= 39


async def test_an_object_that_changed_meanwhile_is_a_conflict_which_is_tried_again() -> None:
    asking = Asking()
    asking.ask("one")
    asking.cluster.edit(NAME, labels={**asking.cluster.objects[NAME].labels, "team": "blue"})

    with pytest.raises(Conflict):
        await asking.reconciler.reconcile(NAME)
    asking.catch_up()
    await sleep(1)
    assert await asking.reconcile() == CHANGED
    assert asking.cluster.objects[NAME].labels["team"] == "blue"


async def test_what_no_announcement_told_is_scanned_for() -> None:
    asking = Asking()
    asking.control.sight = Sight(address=GPU.address, device=replace(GPU, iommu_group="77"))
    asking.ask("one")
    await asking.reconcile()

    assert asking.answer is not None
    assert asking.answer.outdated == ("the IOMMU group was said to be 14, and is 77",)
    assert asking.hints == ["look"]


async def test_a_kubelet_that_does_not_answer_is_told_of() -> None:
    asking = Asking()
    asking.kubelet.is_away = True
    asking.ask("one")
    await asking.reconcile()

    assert asking.answer is not None
    assert asking.answer.kubelet_problem == "no answer"


async def test_a_rehearsal_answers_for_no_real_device() -> None:
    asking = Asking(simulated=True)
    asking.ask("one")

    assert await asking.reconcile() == SETTLED


@pytest.mark.parametrize(
    ("asked", "answered", "wants"),
    [("", None, False), ("a", None, True), ("a", "b", True), ("a", "a", False), ("x" * 65, None, False)],
)
async def test_an_object_asks_when_its_nonce_is_not_the_answers(asked: str, answered: str | None, wants: bool) -> None:  # noqa: FBT001
    registry = Registry()
    look = None if answered is None else Look(request=answered, time="2026-01-01T00:00:00Z")
    published = a_published(GPU, look=look)
    registry.replace_published([replace(published, look_asked=asked)], 1)

    requests = published_requests([NAME], registry.snapshot)

    assert {request.controller for request in requests} == {"inventory", *(("looks",) if wants else ())}


async def test_the_answer_is_bounded() -> None:
    asking = Asking()
    uses = tuple(HostUse(f"{number} {'x' * 1000}") for number in range(100))
    asking.control.sight = Sight(address=GPU.address, device=GPU, host_uses=uses, override="y" * 5000)
    asking.ask("one")
    await asking.reconcile()

    told: dict[str, Any] = msgspec.to_builtins(asking.answer)
    assert len(told["hostUses"]) == 17
    assert told["hostUses"][-1] == "and 84 more"
    assert len(msgspec.json.encode(told)) < 10_000
