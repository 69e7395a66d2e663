"""When the kubelet is asked who has what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from anyio import create_task_group, current_time, fail_after, sleep, sleep_forever

from pcidevices.domain.held import HeldDevice
from pcidevices.domain.offer import Offer
from pcidevices.errors import KubeletAway
from pcidevices.feeds import INVENTORY, Feeds
from pcidevices.ports import Plugin
from pcidevices.registry import Registry
from pcidevices.runtime.controller import Request
from pcidevices.runtime.latest import Latest
from tests.support.builders import NODE, a_claim, a_gpu, a_published


GPU = a_gpu()
VM = HeldDevice("vms", "vm-1", "compute", "nvidia.com/CARD", (str(GPU.address),))


class TheKubelet:
    """Implements of the port `Kubelet` what is asked here: who has what, if it answers at all."""

    def __init__(self, *answers: tuple[HeldDevice, ...] | KubeletAway) -> None:
        self._answers = list(answers)
        self.asked: list[float] = []
        """When, in seconds since it was made."""
        self._begun = current_time()

    async def held(self) -> tuple[HeldDevice, ...]:
        self.asked.append(round(current_time() - self._begun))
        if not self._answers:
            await sleep_forever()
        answer = self._answers.pop(0)
        if isinstance(answer, KubeletAway):
            raise answer
        return answer

    def plugin(self, offers: Latest[Offer]) -> Plugin:
        raise AssertionError(offers)

    async def allocatable(self) -> Mapping[str, frozenset[str]]:
        raise AssertionError


class Desk:
    """A feed that writes one registry and asks one queue."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.asked: list[Request] = []
        self.feed = Feeds(NODE, self.registry, self.asked.append).held


async def test_who_holds_what_is_known_before_the_feed_has_started() -> None:
    """What is offered next says of each device whether a pod has it."""
    desk, kubelet = Desk(), TheKubelet((VM,))
    desk.registry.replace_published([a_published(GPU)], 1)
    async with create_task_group() as tg:
        await tg.start(desk.feed, kubelet)

        assert desk.registry.snapshot.held == (VM,)
        assert kubelet.asked == [0]
        assert set(desk.asked) == {Request(INVENTORY, GPU.address.object_name(NODE))}
        tg.cancel_scope.cancel()


@pytest.mark.parametrize("answers", [(KubeletAway("no answer"),), ()], ids=["away", "silent"])
async def test_a_kubelet_that_does_not_answer_holds_up_nobodys_start(answers: tuple[KubeletAway, ...]) -> None:
    desk, kubelet = Desk(), TheKubelet(*answers)
    async with create_task_group() as tg:
        with fail_after(5):
            await tg.start(desk.feed, kubelet)

        assert not desk.registry.snapshot.kubelet_was_heard
        tg.cancel_scope.cancel()


async def test_the_kubelet_is_asked_again_while_something_is_claimed_or_held() -> None:
    desk, kubelet = Desk(), TheKubelet(KubeletAway("no answer"), (), (), (VM,), (VM,), (), ())
    async with create_task_group() as tg:
        tg.start_soon(desk.feed, kubelet)
        await sleep(35)
        assert kubelet.asked == [0, 10]

        desk.registry.replace_claims([a_claim(GPU)])
        await sleep(20)
        assert kubelet.asked == [0, 10, 40, 50]
        desk.registry.replace_claims([])
        await sleep(40)
        assert kubelet.asked == [0, 10, 40, 50, 60, 70]
        tg.cancel_scope.cancel()
