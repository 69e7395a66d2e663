"""Claims, with only the kernel and the API server replaced: what a person sees with kubectl."""

from __future__ import annotations

import time

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anyio import create_task_group

from tests.support.agent import CLAIMS, Object, Scene, a_scene, until


NIC, TWIN, GPU, SOUND, DISK, PF = (
    "0000:01:00.0",
    "0000:01:01.0",
    "0000:02:00.0",
    "0000:02:00.1",
    "0000:04:00.0",
    "0000:03:00.0",
)
MANY = tuple(f"0000:{bus:02x}:00.{function}" for bus in range(0x40, 0x48) for function in range(8))
SPEC = f"""
kernel: "6.12"
iommu: on
modules:
  vfio-pci: loadable
devices:
  0000:00:1c.0: {{id: "8086:a190", class: 0604, bridge: {{buses: "02"}}}}
  0000:00:1f.0: {{id: "8086:a1c1", class: 0601, driver: lpc_ich}}
  {NIC}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: ens1}}}}
  {TWIN}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: ens2}}}}
  {GPU}: {{id: "10de:1c02", class: 0300, driver: nouveau}}
  {SOUND}: {{id: "10de:10f1", class: 0403, driver: snd_hda_intel}}
  {DISK}:
    id: "144d:a808"
    class: 010802
    driver: nvme
    disk: {{kind: nvme, serial: S1, partitions: {{1: /data}}}}
  {PF}:
    id: "8086:10c9"
    class: 0200
    driver: igb
    sriov: {{total: 8, limit: 8, offset: 128, stride: 2, id: "8086:10ca", driver: igbvf}}
"""
MANY_NICS = "\n".join(
    f'  {address}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: e{index}}}, group: g{index}}}'
    for index, address in enumerate(MANY)
)


def a_claim(address: str, *, name: str = "", **annotations: str) -> Object:
    return {
        "apiVersion": "devices.harvesterhci.io/v1beta1",
        "kind": "PCIDeviceClaim",
        "metadata": {
            "name": name or f"janus-{address.replace(':', '').replace('.', '')}",
            "annotations": {f"devices.harvesterhci.io/{key.replace('_', '-')}": to for key, to in annotations.items()},
        },
        "spec": {"address": address, "nodeName": "janus", "userName": "alice"},
    }


class Claiming:
    """A person with kubectl."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def claim(self, address: str, *, name: str = "", **annotations: str) -> None:
        self.scene.server.apply(a_claim(address, name=name, **annotations))

    def delete(self, address: str) -> None:
        self.scene.server.delete(CLAIMS, a_claim(address)["metadata"]["name"])

    def claims(self) -> dict[str, Object]:
        return {claim["spec"]["address"]: claim for claim in self.scene.server.list(CLAIMS)}

    def reason(self, address: str, kind: str = "Ready") -> str | None:
        conditions = self.claims().get(address, {}).get("status", {}).get("conditions", [])
        return next((condition["reason"] for condition in conditions if condition["type"] == kind), None)

    def message(self, address: str) -> str:
        conditions = self.claims()[address]["status"]["conditions"]
        return next(str(condition["message"]) for condition in conditions if condition["type"] == "Ready")

    def ready(self, *addresses: str) -> bool:
        return all(self.reason(address) == "Ready" for address in addresses)

    def gone(self, *addresses: str) -> bool:
        return not self.claims().keys() & set(addresses)

    def driver(self, address: str) -> str | None:
        link = self.scene.node.sysfs / "bus/pci/devices" / address / "driver"
        return link.readlink().name if link.is_symlink() else None

    def override(self, address: str) -> str:
        return (self.scene.node.sysfs / "bus/pci/devices" / address / "driver_override").read_text().strip()

    def events(self, address: str) -> list[str]:
        name = a_claim(address)["metadata"]["name"]
        events = sorted(self.scene.server.list("events.events.k8s.io"), key=lambda event: str(event["eventTime"]))
        return [event["reason"] for event in events if event["regarding"]["name"] == name]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with a_scene(tmp_path, SPEC) as scene:
        scene.server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "janus"}})
        yield scene


@pytest.fixture
def person(scene: Scene) -> Claiming:
    return Claiming(scene)


async def test_a_claim_takes_the_device_and_its_deletion_gives_it_back(person: Claiming) -> None:
    """`kubectl apply`, `kubectl wait`, `kubectl delete`; with an Event for each."""
    async with person.scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))

        status = person.claims()[NIC]["status"]
        assert person.driver(NIC) == "vfio-pci"
        assert person.override(NIC) == "(null)"
        assert (status["kernelDriverToUnbind"], status["passthroughEnabled"]) == ("ixgbe", True)
        assert status["claimed"] == {"vendorId": "8086", "deviceId": "10fb", "subsystem": "8086:10fb"}
        await until(lambda: person.scene.driver(NIC) == "vfio-pci")

        person.delete(NIC)
        await until(lambda: person.gone(NIC))
        assert person.driver(NIC) == "ixgbe"
        assert person.driver(TWIN) == "ixgbe"
        await until(lambda: person.events(NIC) == ["Ready", "GivenBack"])


async def test_a_claim_costs_six_requests_at_most_and_rest_costs_none(person: Claiming) -> None:
    """Finalizer, record, Ready, the PCIDevice (twice, if it is seen between two drivers) and the Event."""
    async with person.scene.agent():
        await until(lambda: person.scene.published() > 0)
        await person.scene.settled()
        before = person.scene.server.requests.total()
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        await person.scene.settled()

        assert person.scene.server.requests.total() - before <= 6
        before = person.scene.writes
        await person.scene.settled()
        assert person.scene.writes == before


async def test_a_group_is_ready_when_all_of_it_is_claimed(person: Claiming) -> None:
    async with person.scene.agent():
        person.claim(GPU)
        await until(lambda: person.reason(GPU) == "GroupNotViable")
        assert f"{SOUND} is on snd_hda_intel" in person.message(GPU)
        assert person.driver(GPU) == "vfio-pci"

        person.claim(SOUND)
        await until(lambda: person.ready(GPU, SOUND))

        person.delete(SOUND)
        await until(lambda: person.gone(SOUND) and person.reason(GPU) == "GroupNotViable")
        assert person.driver(SOUND) == "snd_hda_intel"


async def test_a_mounted_disk_is_refused_until_it_is_not_mounted(person: Claiming) -> None:
    async with person.scene.agent():
        person.claim(DISK)
        await until(lambda: person.reason(DISK) == "DeviceProtected")
        assert "/data" in person.message(DISK)
        assert person.driver(DISK) == "nvme"

        person.scene.node.unmount("/data")
        await until(lambda: person.ready(DISK))


async def test_an_annotation_lets_a_mounted_disk_through_and_is_told(person: Claiming) -> None:
    async with person.scene.agent():
        person.claim(DISK, allow_protected=DISK)
        await until(lambda: person.ready(DISK))

        assert person.reason(DISK, "Allowed") in {"Allowed", "ProtectionOverridden"}
        await until(lambda: person.events(DISK) == ["ProtectionOverridden", "Ready"])


@pytest.mark.parametrize("address", ["0000:00:1c.0", "0000:00:1f.0"])
async def test_bridges_are_refused_whatever_allows_it(person: Claiming, address: str) -> None:
    async with person.scene.agent():
        person.claim(address, allow_protected=address)
        await until(lambda: person.reason(address) == "NotClaimable")


async def test_a_virtual_function_is_claimed_and_its_physical_one_is_then_refused(person: Claiming) -> None:
    numvfs = person.scene.node.sysfs / "bus/pci/devices" / PF / "sriov_numvfs"
    vf = "0000:03:10.0"
    async with person.scene.agent():
        person.scene.node.load_module("igbvf")
        person.scene.node.write(numvfs, "2")
        person.claim(vf)
        await until(lambda: person.ready(vf))
        person.claim(PF, allow_protected=PF)
        await until(lambda: person.reason(PF) == "DeviceInUse")

        person.delete(vf)
        await until(lambda: person.gone(vf))
        assert person.driver(vf) == "igbvf"


async def test_a_device_that_a_virtual_machine_has_is_not_unbound(person: Claiming) -> None:
    """The claim waits and says so; others go on; when the machine ends the device goes home."""
    async with person.scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        person.scene.node.hold(NIC)
        person.delete(NIC)
        await until(lambda: person.reason(NIC) == "DeviceInUse")
        assert person.driver(NIC) == "vfio-pci"

        person.claim(TWIN)
        await until(lambda: person.ready(TWIN))

        person.scene.node.release(NIC)
        await until(lambda: person.gone(NIC))
        assert person.driver(NIC) == "ixgbe"


async def test_a_card_that_is_pulled_is_waited_for_and_taken_again(person: Claiming) -> None:
    async with person.scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        spec = next(device for device in person.scene.spec.devices.values() if str(device.address) == NIC)
        person.scene.node.unplug(NIC)
        await until(lambda: person.reason(NIC) == "DeviceNotFound")

        person.scene.node.plug(spec)
        await until(lambda: person.ready(NIC))
        assert person.driver(NIC) == "vfio-pci"


async def test_a_spare_claim_waits_for_the_first(person: Claiming) -> None:
    async with person.scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        person.claim(NIC, name="spare")

        def spare() -> Object:
            return next(claim for claim in person.scene.server.list(CLAIMS) if claim["metadata"]["name"] == "spare")

        await until(lambda: "ClaimedByAnother" in str(spare().get("status")))

        person.delete(NIC)
        await until(lambda: "'reason': 'Ready'" in str(spare()["status"]))
        assert spare()["status"]["kernelDriverToUnbind"] == "ixgbe"


async def test_a_claim_that_was_deleted_while_the_agent_was_down_is_given_back(person: Claiming) -> None:
    async with person.scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
    person.delete(NIC)
    assert not person.gone(NIC)

    async with person.scene.agent():
        await until(lambda: person.gone(NIC))
    assert person.driver(NIC) == "ixgbe"


async def test_claims_go_on_while_the_api_server_is_away(person: Claiming) -> None:
    """What was seen last still holds: a device that fell to its host driver is taken again."""
    async with person.scene.agent():
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        person.scene.server.faults.refuse(10**6, 503)
        bus = person.scene.node.sysfs / "bus/pci"
        person.scene.node.write(bus / "drivers/vfio-pci/unbind", NIC)
        person.scene.node.write(bus / "drivers/ixgbe/bind", NIC)

        await until(lambda: person.driver(NIC) == "vfio-pci")


async def test_an_unbind_that_hangs_holds_up_nobody_else(person: Claiming) -> None:
    """A machine opened the device between the look and the write: the look found nobody."""
    async with person.scene.agent(patience=0.2):
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        _hold_unseen(person.scene, NIC)
        person.delete(NIC)
        await until(lambda: person.reason(NIC) in {"WriteTimedOut", "DeviceInUse"})

        person.claim(TWIN)
        await until(lambda: person.ready(TWIN))

        person.scene.node.release(NIC)
        await until(lambda: person.gone(NIC))
        assert person.driver(NIC) == "ixgbe"


def _hold_unseen(scene: Scene, address: str) -> None:
    """A holder that no sign tells of."""
    scene.node.hold(address)
    enable = scene.node.sysfs / "bus/pci/devices" / address / "enable"
    enable.unlink()


async def test_sixty_four_claims_at_once_are_ready_with_eight_requests_each(tmp_path: Path) -> None:
    async with a_scene(tmp_path, SPEC + MANY_NICS) as scene:
        person = Claiming(scene)
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
        assert {person.driver(address) for address in MANY} == {"ixgbe"}


async def test_a_hanging_unbind_does_not_slow_the_others_down(tmp_path: Path) -> None:
    """Measured by who comes first: while it hangs, all others are ready within its patience."""
    async with a_scene(tmp_path, SPEC + MANY_NICS) as scene:
        person = Claiming(scene)
        async with scene.agent(patience=30):
            person.claim(NIC)
            await until(lambda: person.ready(NIC))
            _hold_unseen(scene, NIC)
            person.delete(NIC)
            await until(lambda: person.driver(NIC) is None)
            for address in MANY[:16]:
                person.claim(address)
            await until(lambda: person.ready(*MANY[:16]), within=20)
            scene.node.release(NIC)
            await until(lambda: person.gone(NIC))


MOST_WRITES = 11
"""Of the two kinds together, in one direction of a claim's life, with some to spare."""


@pytest.mark.parametrize("writes", range(1, MOST_WRITES + 1))
async def test_after_whichever_write_the_agent_is_stopped_the_next_one_comes_to_the_same_end(
    person: Claiming, writes: int
) -> None:
    """After each write to sysfs or to the API server, in both directions."""
    async with person.scene.agent():
        await until(lambda: person.scene.published() > 0)
        await person.scene.settled()
    for change, is_done, driver in (
        (person.claim, lambda: person.ready(NIC), "vfio-pci"),
        (person.delete, lambda: person.gone(NIC), "ixgbe"),
    ):
        change(NIC)
        await _stopped_after(person.scene, writes)
        async with person.scene.agent():
            await until(is_done)
        assert (person.driver(NIC), person.override(NIC)) == (driver, "(null)")


async def _stopped_after(scene: Scene, writes: int) -> None:
    """Run an agent until so many writes have been made, of either kind, or nothing is left to do."""
    done = 0
    write = scene.node.write

    def counted(path: Path, text: str) -> None:
        nonlocal done
        write(path, text)
        done += 1

    scene.node.write = counted  # type: ignore[method-assign]
    before, end = scene.writes, time.monotonic() + 1
    try:
        async with create_task_group() as tg, scene.agent():
            await until(lambda: done + scene.writes - before >= writes or time.monotonic() > end)
            tg.cancel_scope.cancel()
    finally:
        del scene.node.write
