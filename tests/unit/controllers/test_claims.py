"""Claims are brought to their devices and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.conditions import Finding, condition
from pcidevices.domain.device import Unreadable
from pcidevices.domain.outlook import Outlook
from pcidevices.domain.sight import Sight
from pcidevices.domain.steps import Unbind
from pcidevices.errors import Conflict, DriverMissing, Unavailable
from tests.support.builders import a_claim, a_gpu, a_published
from tests.support.tiny_kernel import TinyKernel

from .claim_scene import Agent, ClaimServer, Crash, Points


pytestmark = pytest.mark.anyio

NAME = a_claim().name


@pytest.fixture
def kernel() -> TinyKernel:
    return TinyKernel(a_gpu(), knows=("nvidia",), drivers={"nvidia", "vfio-pci"})


@pytest.fixture
def server() -> ClaimServer:
    server = ClaimServer()
    server.put(a_claim(created="2026-01-01T00:00:00Z"))
    return server


def ready(claim: Claim) -> bool:
    return condition(claim.status.conditions, "Ready").status == "True"


async def test_a_claim_costs_three_requests_and_one_event(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)

    await agent.settle()

    assert server.writes == ["hold", "status", "status"]
    assert ready(server.objects[NAME])
    assert agent.events.reasons == ["Ready"]


async def test_a_deleted_claim_costs_one_request_and_one_event(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)
    await agent.settle()
    server.writes.clear()
    server.delete(NAME)

    await agent.settle()

    assert server.writes == ["release"]
    assert server.objects == {}
    assert kernel.driver == "nvidia"
    assert agent.events.reasons == ["Ready", "GivenBack"]


async def test_what_its_look_saw_is_known_before_the_next_scan(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)

    result = await agent.reconcile(NAME)

    device = agent.registry.snapshot.devices[a_gpu().address]
    assert device.driver == "vfio-pci"
    assert device.names == a_gpu().names
    assert result.requeue_after is None


async def test_a_scan_is_asked_for_when_a_look_sees_what_no_scan_has(kernel: TinyKernel, server: ClaimServer) -> None:
    """Of another one in the IOMMU group too: its driver may have gone without a word."""
    agent = Agent(server, kernel)
    await agent.settle()
    assert agent.scans_asked_for == 1, "for its own steps"

    await agent.reconcile(NAME)
    assert agent.scans_asked_for == 1
    kernel.others = (a_gpu(address="0000:04:00.1"),)
    result = await agent.reconcile(NAME)
    assert agent.scans_asked_for == 2
    assert result.requeue_after


class BlindKernel(TinyKernel):
    """Not even a look comes to its end."""

    async def look(self, address: PciAddress) -> Sight:
        return Sight(address=address, device=Unreadable(str(address), "no answer"), is_silent=True)


async def test_a_look_that_saw_nothing_asks_for_no_scan(server: ClaimServer) -> None:
    """A scan might hang as well, and there is one after the other."""
    agent = Agent(server, BlindKernel(a_gpu()))

    for _ in range(3):
        await agent.reconcile(NAME)
        agent.catch_up()

    assert agent.scans_asked_for == 0
    assert agent.registry.snapshot.devices[a_gpu().address] == a_gpu()


async def test_at_rest_nothing_is_written(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)
    await agent.settle()
    server.writes.clear()
    taken = list(kernel.taken)

    for _ in range(3):
        await agent.reconcile(NAME)

    assert server.writes == []
    assert kernel.taken == taken


async def test_what_is_known_of_kubevirt_costs_no_request_of_its_own(kernel: TinyKernel, server: ClaimServer) -> None:
    permitted = Finding("True", "Permitted", "KubeVirt lets virtual machines have it")
    agent = Agent(server, kernel, outlook=Outlook(permitted=permitted))

    await agent.settle()

    assert server.writes == ["hold", "status", "status"]
    assert condition(server.objects[NAME].status.conditions, "Permitted").status == "True"
    assert agent.events.reasons == ["Ready"]


async def test_what_is_found_later_is_one_more_and_a_start_none(kernel: TinyKernel, server: ClaimServer) -> None:
    await Agent(server, kernel).settle()
    server.writes.clear()
    doubted = Outlook(permitted=Finding("False", "NotPermitted", "somebody takes it out"))

    await Agent(server, kernel, outlook=doubted).settle()
    assert server.writes == ["status"]

    await Agent(server, kernel).settle()
    assert server.writes == ["status"]
    assert ready(server.objects[NAME])


async def test_a_name_that_cannot_be_offered_is_an_event_and_not_ready(kernel: TinyKernel, server: ClaimServer) -> None:
    refused = Outlook(refused=Finding("False", "ResourceNameTaken", "another has it"))

    agent = Agent(server, kernel, outlook=refused)
    await agent.settle()

    assert agent.events.reasons == ["!ResourceNameTaken"]
    assert kernel.driver == "vfio-pci"
    assert not ready(server.objects[NAME])


async def test_nothing_is_done_before_the_record_is_safe(kernel: TinyKernel, server: ClaimServer) -> None:
    server.is_away = True
    agent = Agent(server, kernel)

    with pytest.raises(Unavailable):
        await agent.reconcile(NAME)

    assert kernel.taken == []


async def test_a_claim_goes_on_from_its_record_while_the_api_server_is_away(
    kernel: TinyKernel, server: ClaimServer
) -> None:
    """The node booted: the device is bound again before the status can be told."""
    await Agent(server, kernel).settle()
    kernel.reboot()
    kernel.drivers.add("vfio-pci")
    server.is_away = True

    await Agent(server, kernel).reconcile(NAME)

    assert kernel.driver == "vfio-pci"


async def test_what_was_changed_meanwhile_is_not_overwritten(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)
    server.put(replace(server.objects[NAME], user_name="somebody"))

    with pytest.raises(Conflict):
        await agent.reconcile(NAME)

    assert kernel.taken == []


async def test_an_old_view_is_not_acted_on(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)
    await agent.reconcile(NAME)
    server.writes.clear()

    result = await agent.reconcile(NAME)

    assert result.requeue_after
    assert server.writes == []


async def test_a_failure_is_told_and_tried_again(kernel: TinyKernel, server: ClaimServer) -> None:
    kernel.drivers.discard("vfio-pci")
    kernel.modules = set()
    agent = Agent(server, kernel)

    with pytest.raises(DriverMissing):
        await agent.reconcile(NAME)
    assert condition(server.objects[NAME].status.conditions, "Ready").reason == "DriverMissing"
    assert agent.events.reasons == ["!DriverMissing"]

    kernel.modules = {"vfio_pci"}
    await agent.settle()
    assert ready(server.objects[NAME])


async def test_a_give_back_that_no_driver_wants_ends_with_a_warning(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)
    await agent.settle()
    kernel.drivers, kernel.host_modules_are_gone = {"vfio-pci"}, True
    server.delete(NAME)

    await agent.settle()

    assert server.objects == {}
    assert agent.events.reasons[-1] == "!LeftWithoutDriver"


async def test_one_look_that_the_kernel_does_not_answer_is_no_news(kernel: TinyKernel, server: ClaimServer) -> None:
    """The machine may be busy; the second in a row is told."""
    agent = Agent(server, kernel)
    await agent.settle()
    kernel.device, kernel.is_silent = a_gpu(driver=None), True
    server.writes.clear()

    assert (await agent.reconcile(NAME)).requeue_after
    assert server.writes == []

    await agent.reconcile(NAME)
    assert condition(server.objects[NAME].status.conditions, "Ready").reason == "DeviceSilent"


async def test_a_claim_that_is_gone_before_it_was_held_is_no_trouble(kernel: TinyKernel, server: ClaimServer) -> None:
    kernel.uses = ("/dev/sda1 is mounted at /",)
    agent = Agent(server, kernel)
    server.objects.clear()

    assert not (await agent.reconcile(NAME)).changed


async def test_the_kubelet_is_told_before_the_device_is_unbound(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)
    await agent.settle()
    agent.kubelet.advertised.add("0000:04:00.0")
    server.delete(NAME)

    await agent.settle()
    assert kernel.driver == "vfio-pci"

    agent.kubelet.advertised.clear()
    await agent.settle()
    assert kernel.driver == "nvidia"


async def test_a_pod_that_holds_the_device_is_named_and_waited_for(kernel: TinyKernel, server: ClaimServer) -> None:
    """Its machine may not have opened the device yet."""
    agent = Agent(server, kernel)
    await agent.settle()
    agent.kubelet.holders["0000:04:00.0"] = "vm-1"
    server.delete(NAME)

    await agent.settle()

    ready = condition(server.objects[NAME].status.conditions, "Ready")
    assert (ready.reason, kernel.driver) == ("DeviceInUse", "vfio-pci")
    assert "pod default/vm-1" in ready.message


async def test_a_kubelet_that_does_not_answer_proves_nothing(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel)
    await agent.settle()
    agent.kubelet.is_away = True
    server.delete(NAME)

    await agent.settle()

    assert kernel.driver == "vfio-pci"


async def test_the_next_claim_gets_the_device_when_the_first_is_deleted(
    kernel: TinyKernel, server: ClaimServer
) -> None:
    server.put(a_claim(name="second", uid="claim-2", created="2026-01-02T00:00:00Z"))
    agent = Agent(server, kernel)
    await agent.settle()
    assert not ready(server.objects["second"])
    server.delete(NAME)

    await agent.settle(NAME, "second")

    assert ready(server.objects["second"])
    assert server.objects["second"].status.kernel_driver_to_unbind == "nvidia"


async def test_a_rehearsal_leaves_the_claims_for_real_devices_alone(kernel: TinyKernel, server: ClaimServer) -> None:
    agent = Agent(server, kernel, simulated=True)
    agent.publish(a_published())

    await agent.settle()

    assert (server.writes, kernel.taken) == ([], [])


async def test_a_claim_that_is_gone_needs_nothing(kernel: TinyKernel) -> None:
    assert not (await Agent(ClaimServer(), kernel).reconcile(NAME)).changed


LONGEST_LIFE = 40


@pytest.mark.parametrize("point", range(LONGEST_LIFE))
@pytest.mark.parametrize("original", ["nvidia", None])
async def test_wherever_the_program_ends_it_goes_on_to_the_same_end(point: int, original: str | None) -> None:
    """At each point of a claim's life, in both directions: before and after every effect."""
    drivers = {"nvidia"} if original else set()
    kernel = TinyKernel(a_gpu(driver=original), knows=(original,) if original else (), drivers=drivers)
    server, points = ClaimServer(), Points(crash_at=point)
    server.put(a_claim())

    await _live(Agent(server, kernel, points=points), server, kernel, points)

    assert kernel.driver == original
    assert kernel.override is None
    assert server.objects == {}
    unbinds = [step for step in kernel.taken if isinstance(step, Unbind)]
    assert len(unbinds) == (2 if original else 1), "no device is unbound twice"


async def _live(agent: Agent, server: ClaimServer, kernel: TinyKernel, points: Points) -> None:
    """Claim, and give back, with a new process whenever one has ended."""
    for _ in range(3):
        try:
            await agent.settle()
            break
        except Crash:
            agent = Agent(server, kernel)
    assert kernel.driver == "vfio-pci"
    assert kernel.override is None
    assert ready(server.objects[NAME])
    server.delete(NAME)
    agent = Agent(server, kernel, points=points)
    for _ in range(3):
        try:
            await agent.settle()
            break
        except Crash:
            agent = Agent(server, kernel)


async def test_the_points_tried_are_all_there_are(kernel: TinyKernel, server: ClaimServer) -> None:
    kernel.drivers.discard("vfio-pci")
    points = Points()

    await _live(Agent(server, kernel, points=points), server, kernel, points)

    assert 20 < points.passed < LONGEST_LIFE
