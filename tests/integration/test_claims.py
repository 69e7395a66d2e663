"""Claims, with only the kernel and the API server replaced: what a person sees with kubectl."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anyio import create_task_group

from pcidevices.runtime.threads import on_the_loop
from tests.support.agent import Scene, a_scene, until
from tests.support.machine import DISK, GPU, NIC, PF, PUBLISHED, SOUND, SPEC, TWIN, VF
from tests.support.person import Person


MANY = tuple(f"0000:{bus:02x}:00.{function}" for bus in range(0x40, 0x48) for function in range(8))
MANY_NICS = "\n".join(
    f'  {address}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: e{index}}}, group: g{index}}}'
    for index, address in enumerate(MANY)
)


async def test_a_claim_takes_the_device_and_its_deletion_gives_it_back(scene: Scene, person: Person) -> None:
    """`kubectl apply`, `kubectl wait`, `kubectl delete`; with an Event for each."""
    async with scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))

        status = person.status(NIC)
        assert scene.bound(NIC) == "vfio-pci"
        assert scene.override(NIC) == "(null)"
        assert (status["kernelDriverToUnbind"], status["passthroughEnabled"]) == ("ixgbe", True)
        assert status["claimed"] == {"vendorId": "8086", "deviceId": "10fb", "subsystem": "8086:10fb"}
        await until(lambda: scene.driver(NIC) == "vfio-pci")

        person.delete(NIC)
        await until(lambda: person.gone(NIC))
        assert scene.bound(NIC) == "ixgbe"
        assert scene.bound(TWIN) == "ixgbe"
        await until(lambda: person.events(NIC) == ["Ready", "GivenBack"])


async def test_a_claim_costs_six_writes_and_a_read_at_most_and_rest_costs_none(scene: Scene, person: Person) -> None:
    """
    Finalizer, record, Ready, the PCIDevice (twice, if it is seen between two drivers) and the Event. KubeVirt is
    looked for a second later, which may be seen or not.
    """
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        await scene.settled()
        writes, requests = scene.writes, scene.server.requests.total()
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        await scene.settled()

        assert scene.writes - writes <= 6
        assert scene.server.requests.total() - requests <= 7
        before = scene.writes
        await scene.settled()
        assert scene.writes == before


async def test_a_group_is_ready_when_all_of_it_is_claimed(scene: Scene, person: Person) -> None:
    async with scene.agent():
        person.claim(GPU)
        await person.told(GPU, "GroupNotViable")
        assert f"{SOUND} is on snd_hda_intel" in person.message(GPU)
        assert scene.bound(GPU) == "vfio-pci"

        person.claim(SOUND)
        await until(lambda: person.ready(GPU, SOUND))

        person.delete(SOUND)
        await until(lambda: person.gone(SOUND) and person.reason(GPU) == "GroupNotViable")
        assert scene.bound(SOUND) == "snd_hda_intel"


async def test_a_mounted_disk_is_refused_until_it_is_not_mounted(scene: Scene, person: Person) -> None:
    async with scene.agent():
        person.claim(DISK)
        await person.told(DISK, "DeviceProtected")
        assert "/data" in person.message(DISK)
        assert scene.bound(DISK) == "nvme"

        scene.node.unmount("/data")
        await until(lambda: person.ready(DISK))


async def test_an_annotation_lets_a_mounted_disk_through_and_is_told(scene: Scene, person: Person) -> None:
    async with scene.agent():
        person.claim(DISK, allow_protected=DISK)
        await until(lambda: person.ready(DISK))

        assert person.reason(DISK, "Allowed") in {"Allowed", "ProtectionOverridden"}
        await until(lambda: person.events(DISK) == ["ProtectionOverridden", "Ready"])


@pytest.mark.parametrize("address", ["0000:00:1c.0", "0000:00:1f.0"])
async def test_bridges_are_refused_whatever_allows_it(scene: Scene, person: Person, address: str) -> None:
    async with scene.agent():
        person.claim(address, allow_protected=address)
        await person.told(address, "NotClaimable")


async def test_a_virtual_function_is_claimed_and_its_physical_one_is_then_refused(scene: Scene, person: Person) -> None:
    numvfs = scene.path(PF) / "sriov_numvfs"
    async with scene.agent():
        scene.node.load_module("igbvf")
        scene.node.write(numvfs, "2")
        person.claim(VF)
        await until(lambda: person.ready(VF))
        person.claim(PF, allow_protected=PF)
        await person.told(PF, "DeviceInUse")

        person.delete(VF)
        await until(lambda: person.gone(VF))
        assert scene.bound(VF) == "igbvf"


async def test_a_device_that_a_virtual_machine_has_is_not_unbound(scene: Scene, person: Person) -> None:
    """The claim waits and says so; others go on; when the machine ends the device goes home."""
    async with scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        scene.node.hold(NIC)
        person.delete(NIC)
        await person.told(NIC, "DeviceInUse")
        assert scene.bound(NIC) == "vfio-pci"

        person.claim(TWIN)
        await until(lambda: person.ready(TWIN))

        scene.node.release(NIC)
        await until(lambda: person.gone(NIC))
        assert scene.bound(NIC) == "ixgbe"


async def test_a_card_that_is_pulled_is_waited_for_and_taken_again(scene: Scene, person: Person) -> None:
    async with scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        spec = next(device for device in scene.spec.devices.values() if str(device.address) == NIC)
        scene.node.unplug(NIC)
        await person.told(NIC, "DeviceNotFound")

        scene.node.plug(spec)
        await until(lambda: person.ready(NIC))
        assert scene.bound(NIC) == "vfio-pci"


async def test_cards_whose_addresses_shifted_while_the_node_was_off_are_left_alone(
    scene: Scene, person: Person
) -> None:
    """As a card that is added before them does it."""
    names = {NIC: "8086:10fb", PF: "8086:10c9"}
    async with scene.agent():
        for address in names:
            person.claim(address)
        await until(lambda: person.ready(*names))
    cards = {str(device.address): device for device in scene.spec.devices.values()}
    scene.node.unplug(*names)
    scene.node.plug(
        replace(cards[NIC], address=cards[PF].address, nets=()), replace(cards[PF], address=cards[NIC].address)
    )

    async with scene.agent():
        for address in names:
            await person.told(address, "DeviceChanged")

    for address, other in ((NIC, PF), (PF, NIC)):
        assert f"was {names[address]}" in person.message(address)
        assert f"is {names[other]}" in person.message(address)
    assert (scene.bound(NIC), scene.bound(PF)) == ("igb", "ixgbe")


async def test_a_spare_claim_waits_for_the_first(scene: Scene, person: Person) -> None:
    async with scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        person.claim(NIC, name="spare")

        await person.told("spare", "ClaimedByAnother")

        person.delete(NIC)
        await until(lambda: person.ready("spare"))
        assert person.status("spare")["kernelDriverToUnbind"] == "ixgbe"


async def test_a_claim_that_was_deleted_while_the_agent_was_down_is_given_back(scene: Scene, person: Person) -> None:
    async with scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
    person.delete(NIC)
    assert not person.gone(NIC)

    async with scene.agent():
        await until(lambda: person.gone(NIC))
    assert scene.bound(NIC) == "ixgbe"


async def test_claims_go_on_while_the_api_server_is_away(scene: Scene, person: Person) -> None:
    """What was seen last still holds: a device that fell to its host driver is taken again."""
    async with scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        scene.server.faults.refuse(10**6, 503)
        bus = scene.node.sysfs / "bus/pci"
        scene.node.write(bus / "drivers/vfio-pci/unbind", NIC)
        scene.node.write(bus / "drivers/ixgbe/bind", NIC)

        await until(lambda: scene.bound(NIC) == "vfio-pci")


async def test_an_unbind_that_hangs_holds_up_nobody_else(scene: Scene, person: Person) -> None:
    """A machine opened the device between the look and the write: the look found nobody."""
    async with scene.agent(patience=0.2):
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        scene.hold_unseen(NIC)
        person.delete(NIC)
        await person.told(NIC, "WriteTimedOut", "DeviceInUse")

        person.claim(TWIN)
        await until(lambda: person.ready(TWIN))

        scene.node.release(NIC)
        await until(lambda: person.gone(NIC))
        assert scene.bound(NIC) == "ixgbe"


async def test_sixty_four_claims_at_once_are_ready_with_eight_requests_each(memory: Path) -> None:
    async with a_scene(memory, SPEC + MANY_NICS) as scene:
        person = Person(scene)
        async with scene.agent():
            await until(lambda: scene.published() >= len(MANY))
            await scene.settled()
            before = scene.server.requests.total()
            for address in MANY:
                person.claim(address)
            await until(lambda: person.ready(*MANY), within=60)
            await scene.settled()

            assert scene.server.requests.total() - before <= 8 * len(MANY)
            for address in MANY:
                person.delete(address)
            await until(lambda: person.gone(*MANY), within=60)
        assert {scene.bound(address) for address in MANY} == {"ixgbe"}


async def test_a_hanging_unbind_does_not_slow_the_others_down(memory: Path) -> None:
    """Measured by who comes first: while it hangs, all others are ready within its patience."""
    async with a_scene(memory, SPEC + MANY_NICS) as scene:
        person = Person(scene)
        async with scene.agent(patience=30):
            person.claim(NIC)
            await until(lambda: person.ready(NIC))
            scene.hold_unseen(NIC)
            person.delete(NIC)
            await until(lambda: scene.bound(NIC) is None)
            for address in MANY[:16]:
                person.claim(address)
            await until(lambda: person.ready(*MANY[:16]), within=20)
            scene.node.release(NIC)
            await until(lambda: person.gone(NIC))


MOST_WRITES = 11
"""More than there are of the two kinds together in one direction of a claim's life."""


@pytest.mark.parametrize("writes", range(1, MOST_WRITES + 1))
async def test_after_whichever_write_the_agent_is_stopped_the_next_one_comes_to_the_same_end(
    scene: Scene, person: Person, writes: int
) -> None:
    """After each write to sysfs or to the API server, in both directions."""
    async with scene.agent():
        await until(lambda: scene.published() > 0)
        await scene.settled()
    for change, is_done, driver in (
        (person.claim, lambda: person.ready(NIC), "vfio-pci"),
        (person.delete, lambda: person.gone(NIC), "ixgbe"),
    ):
        change(NIC)
        all_is_done = await _rests_before(scene, writes, is_done)
        async with scene.agent():
            await until(is_done)
        assert (scene.bound(NIC), scene.override(NIC)) == (driver, "(null)")
        assert all_is_done or writes < MOST_WRITES  # else there are more writes to be stopped after


async def _rests_before(scene: Scene, writes: int, is_done: Callable[[], bool]) -> bool:
    """Run an agent until so many writes have been made, of either kind, or rests; tell whether it rests."""
    done, before = 0, scene.writes
    write = scene.node.write

    async with create_task_group() as tg:

        def look() -> None:
            if done + scene.writes - before >= writes:
                tg.cancel_scope.cancel()

        look_soon = on_the_loop(look)

        def counted(path: Path, text: str) -> None:
            nonlocal done
            write(path, text)
            done += 1
            look_soon()

        async def follow_the_server() -> None:
            while True:
                await scene.server.cluster.store.changed.wait()
                look()

        scene.node.write = counted  # type: ignore[method-assign]
        try:
            async with scene.agent():
                tg.start_soon(follow_the_server)
                await until(is_done)
                await scene.settled()
                tg.cancel_scope.cancel()
        finally:
            del scene.node.write
    return done + scene.writes - before < writes
