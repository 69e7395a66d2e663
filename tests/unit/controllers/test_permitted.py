"""KubeVirt's list as one agent keeps it: when it looks, what it tells, and when it gives way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest

from anyio import create_task_group, sleep
from structlog.testing import capture_logs

from pcidevices.api.v1beta1 import ClaimedDevice, Condition, PCIDeviceClaimStatus
from pcidevices.controllers.permitted import KUBEVIRT, PERMITTED, PermittedReconciler
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.permitted import Listed, Permission
from pcidevices.errors import Conflict, Forbidden, PciDevicesError, Refused, Unavailable
from pcidevices.registry import Registry
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.controller import Request, work
from pcidevices.runtime.workqueue import WorkQueue
from tests.support.builders import NODE, a_claim, a_gpu, a_nic, a_published

from .kubevirts import KubeVirts


MINUTE, HOUR = 60.0, 3600.0
PUBLISHED = a_published(a_gpu())
NAME = PUBLISHED.status.resource_name
GPU = Permission("10de:1c02", NAME)
THEIRS = {"pciVendorSelector": "1234:5678", "resourceName": "a.com/b"}
EMPTY: Listed = {"pciHostDevices": []}


def a_taken_claim(version: str = "1", allowed: str = "True") -> Claim:
    """A claim that has its device."""
    condition = Condition(type="Allowed", status=allowed, reason="X")  # type: ignore[arg-type]
    claimed = ClaimedDevice(vendor_id="10de", device_id="1c02")
    status = PCIDeviceClaimStatus(claimed=claimed, conditions=(condition,))
    return a_claim(status=status, resource_version=version)


class Agent:
    """One node's share in the list, between its registry and the cluster."""

    def __init__(
        self, kubevirts: KubeVirts, *, look_at: Callable[[Iterable[PciAddress]], object] = lambda _: None
    ) -> None:
        self.registry = Registry()
        self.registry.replace_published([PUBLISHED], 1)
        self.queue: WorkQueue[Request] = WorkQueue(Backoff(0.25, 60.0))
        self.reconciler = PermittedReconciler(NODE, registry=self.registry, kubevirts=kubevirts, look_at=look_at)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with create_task_group() as tg:
            tg.start_soon(self.reconciler.follow, self.queue.add)
            tg.start_soon(work, self.queue, {PERMITTED: self.reconciler.reconcile})
            yield
            tg.cancel_scope.cancel()

    def claims(self, *claims: Claim) -> None:
        """These are the claims of the node now."""
        self.registry.replace_claims(claims)

    @property
    def found(self) -> tuple[str, str]:
        finding = self.reconciler.findings[NAME]
        return finding.status, finding.reason


async def test_a_claim_is_let_through_at_once_and_no_longer() -> None:
    kubevirts = KubeVirts({"pciHostDevices": [THEIRS]})
    agent = Agent(kubevirts)
    async with agent.running():
        agent.claims(a_taken_claim())
        await sleep(1)
        assert kubevirts.entries == [THEIRS, GPU.entry]
        assert agent.found == ("True", "Permitted")

        agent.claims()
        await sleep(1)
        assert kubevirts.entries == [THEIRS]
        assert agent.reconciler.findings == {}


async def test_at_rest_there_is_one_look_in_some_minutes() -> None:
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    async with agent.running():
        await sleep(MINUTE)
        kubevirts.requests.clear()

        await sleep(10 * HOUR)

    assert set(kubevirts.requests) == {"find"}
    assert 100 <= len(kubevirts.requests) <= 150


async def test_a_node_without_claims_sweeps_about_once_an_hour() -> None:
    """What a gone node has left behind is taken out by another."""
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    async with agent.running():
        await sleep(10 * HOUR)
    assert 8 <= len(kubevirts.requests) <= 14

    left = Agent(kubevirts)
    left.claims(a_taken_claim())
    async with left.running():
        await sleep(1)
    assert kubevirts.entries == [GPU.entry]
    async with agent.running():
        await sleep(2 * HOUR)

    assert kubevirts.entries == []


async def test_what_a_crash_left_behind_goes_at_the_next_start() -> None:
    kubevirts = KubeVirts(EMPTY)
    before = Agent(kubevirts)
    before.claims(a_taken_claim())
    async with before.running():
        await sleep(1)

    async with Agent(kubevirts).running():
        await sleep(1)

    assert kubevirts.entries == []


async def test_what_somebody_comes_to_need_just_as_it_goes_is_put_back() -> None:
    """The other agent looked while it was there still, and was content."""
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    async with agent.running():
        await sleep(1)

        def another_claims(request: str) -> None:
            if request == "ask":
                kubevirts.needed_elsewhere.add(GPU)

        kubevirts.after = another_claims
        agent.claims()
        await sleep(1)

    assert kubevirts.entries == [GPU.entry]
    assert kubevirts.writes == 3


async def test_what_is_put_back_for_another_that_is_done_meanwhile_goes_again() -> None:
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    async with agent.running():
        await sleep(1)
        moments = iter([{GPU}, set[Permission](), set[Permission]()])

        def another_claims(request: str) -> None:
            if request == "ask":
                kubevirts.needed_elsewhere = next(moments)

        kubevirts.after = another_claims
        agent.claims()
        await sleep(1)

    assert kubevirts.entries == []
    assert kubevirts.one.ours.annotation is None


@pytest.mark.parametrize("again", [a_taken_claim("2"), a_claim(uid="another", status=a_taken_claim().status)])
async def test_a_claim_that_may_have_been_without_for_a_moment_is_looked_at(again: Claim) -> None:
    """Another agent, that released just then, may have taken the entry out."""
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    async with agent.running():
        await sleep(1)
        kubevirts.put(EMPTY)

        agent.claims(again)
        await sleep(1)

    assert kubevirts.entries == [GPU.entry]


async def test_a_conflict_is_tried_again_from_a_fresh_look() -> None:
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    others = iter([{"pciHostDevices": [THEIRS]}])

    def another_writes(request: str) -> None:
        if request == "find" and (listed := next(others, None)):
            kubevirts.put(listed)

    kubevirts.after = another_writes
    async with agent.running():
        await sleep(1)

    assert kubevirts.entries == [THEIRS, GPU.entry]


async def test_a_release_that_failed_is_not_forgotten() -> None:
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    async with agent.running():
        await sleep(1)
        kubevirts.trouble = Unavailable("no answer")
        agent.claims()
        await sleep(5)
        kubevirts.trouble = None
        await sleep(MINUTE)

    assert kubevirts.entries == []


@pytest.mark.parametrize("trouble", [Forbidden("kubevirts: no"), Refused("no")])
async def test_what_is_forbidden_is_told_once_and_tried_slowly(trouble: PciDevicesError) -> None:
    kubevirts = KubeVirts(EMPTY)
    kubevirts.trouble = trouble  # type: ignore[assignment]
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    with capture_logs() as logs:
        async with agent.running():
            await sleep(HOUR)
            assert agent.found == ("Unknown", trouble.reason)
            kubevirts.trouble = None
            await sleep(10 * MINUTE)

    assert kubevirts.entries == [GPU.entry]
    told = [entry for entry in logs if entry["event"].startswith("permitted")]
    assert [entry["event"] for entry in told] == ["permitted.doubted", "permitted.added"]
    assert len([entry for entry in logs if entry["event"] == "reconcile.finished"]) < 20


async def test_kubevirt_that_is_installed_later_is_picked_up() -> None:
    kubevirts = KubeVirts(EMPTY)
    installed, kubevirts.objects = kubevirts.objects, []
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    with capture_logs() as logs:
        async with agent.running():
            await sleep(HOUR)
            assert agent.found == ("Unknown", "KubeVirtNotFound")
            kubevirts.objects = installed
            await sleep(10 * MINUTE)

    assert agent.found == ("True", "Permitted")
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["permitted.doubted"]


async def test_a_node_without_claims_does_not_miss_kubevirt() -> None:
    kubevirts = KubeVirts()
    kubevirts.objects = []
    with capture_logs() as logs:
        async with Agent(kubevirts).running():
            await sleep(HOUR)

    assert [entry for entry in logs if entry["log_level"] == "warning"] == []


async def test_without_the_feature_gate_it_is_listed_and_told() -> None:
    kubevirts = KubeVirts(EMPTY, has_gate=False)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    with capture_logs() as logs:
        async with agent.running():
            await sleep(HOUR)

    assert kubevirts.entries == [GPU.entry]
    assert agent.found == ("True", "FeatureGateOff")
    assert len([entry for entry in logs if entry["event"] == "permitted.doubted"]) == 1


@pytest.mark.parametrize(("is_managed", "hint"), [(True, "HyperConverged"), (False, "show-managed-fields")])
async def test_whoever_takes_the_entry_out_twice_wins(is_managed: bool, hint: str) -> None:  # noqa: FBT001
    kubevirts = KubeVirts(EMPTY, is_managed=is_managed)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())

    def undone(request: str) -> None:
        if request == "write":
            kubevirts.put(EMPTY)

    async with agent.running():
        kubevirts.after = undone
        await sleep(13 * MINUTE)  # three looks, and less than the shortest time to a third write
        assert agent.found == ("False", "NotPermitted")
        assert hint in agent.reconciler.findings[NAME].message
        assert kubevirts.writes == 2

        await sleep(24 * HOUR)
        assert kubevirts.writes < 12

        kubevirts.after = lambda _: None
        await sleep(12 * HOUR)
        assert kubevirts.entries == [GPU.entry]
        assert agent.found == ("True", "Permitted")


async def test_one_time_is_free() -> None:
    """People edit things."""
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    async with agent.running():
        for _ in range(3):
            await sleep(12 * HOUR)
            kubevirts.put(EMPTY)
            await sleep(10 * MINUTE)

            assert kubevirts.entries == [GPU.entry]
            assert agent.found == ("True", "Permitted")


async def test_a_lost_answer_to_a_removal_leaves_it_in_doubt() -> None:
    """It may have had an effect; whether somebody needs it is asked again."""
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())
    async with agent.running():
        await sleep(1)

        def lost(request: str) -> None:
            if request == "write":
                kubevirts.needed_elsewhere.add(GPU)
                kubevirts.after = lambda _: None
                raise Unavailable("no answer")

        kubevirts.after = lost
        agent.claims()
        await sleep(MINUTE)

    assert kubevirts.entries == [GPU.entry]


async def test_the_one_request_is_the_kubevirts() -> None:
    asked: list[Request] = []
    agent = Agent(KubeVirts(EMPTY))
    async with create_task_group() as tg:
        tg.start_soon(agent.reconciler.follow, asked.append)
        await sleep(1)
        agent.registry.replace_published([PUBLISHED], 2)
        await sleep(1)
        agent.claims(a_taken_claim())
        await sleep(1)
        tg.cancel_scope.cancel()

    assert asked == [KUBEVIRT, KUBEVIRT]


async def test_a_conflict_is_told_to_the_queue() -> None:
    kubevirts = KubeVirts(EMPTY)
    agent = Agent(kubevirts)
    agent.claims(a_taken_claim())

    def another_writes(request: str) -> None:
        if request == "find":
            kubevirts.put(EMPTY)

    kubevirts.after = another_writes
    with pytest.raises(Conflict):
        await agent.reconciler.reconcile("kubevirt")


async def test_who_is_concerned_is_looked_at_when_something_is_found_and_not_again() -> None:
    looked_at: list[frozenset[PciAddress]] = []
    agent = Agent(KubeVirts(EMPTY), look_at=lambda addresses: looked_at.append(frozenset(addresses)))
    claim = a_taken_claim()
    async with agent.running():
        assert agent.reconciler.finding(claim) is None
        agent.claims(claim)
        await sleep(1)
        found = agent.reconciler.finding(claim)
        assert found is not None
        assert found.reason == "Permitted"
        assert looked_at == [{claim.address}]

        await sleep(10 * HOUR)
        assert looked_at == [{claim.address}]


async def test_of_what_is_not_published_nothing_is_known() -> None:
    agent = Agent(KubeVirts(EMPTY))
    agent.claims(a_taken_claim())
    async with agent.running():
        await sleep(1)

        assert agent.reconciler.finding(a_claim(a_nic())) is None
