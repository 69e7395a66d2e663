"""The whole program, with only the kernel and the API server replaced: what a person sees with kubectl."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcidevices.domain.inventory import Policy
from pcidevices.sim.node import SimulatedNode, load_spec
from tests.support.agent import KIND, Scene, a_scene, until
from tests.support.machine import GPU, NIC, PF, PUBLISHED, SOUND, SPEC, TWIN
from tests.support.person import Person


async def test_every_function_but_the_bridges_is_published(scene: Scene) -> None:
    """With its names, its group, its labels, and the Node as its owner."""
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)

    gpu = scene.device(GPU)
    assert gpu is not None
    assert gpu["status"]["resourceName"] == "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"
    assert gpu["status"]["iommuGroupMembers"] == [GPU, SOUND]
    assert gpu["metadata"]["labels"]["nodename"] == "janus"
    assert [owner["kind"] for owner in gpu["metadata"]["ownerReferences"]] == ["Node"]


async def test_bridges_are_published_where_the_setting_says_so(scene: Scene) -> None:
    async with scene.agent(policy=Policy(bridges=True)):
        await until(lambda: scene.published() == PUBLISHED + 1)


async def test_a_change_of_driver_shows(scene: Scene) -> None:
    async with scene.agent():
        await until(lambda: scene.driver(NIC) == "ixgbe")
        scene.node.write(scene.node.sysfs / "bus/pci/drivers/ixgbe/unbind", NIC)
        await until(lambda: scene.device(NIC) and scene.driver(NIC) is None)
        scene.node.write(scene.node.sysfs / "bus/pci/drivers/ixgbe/bind", NIC)
        await until(lambda: scene.driver(NIC) == "ixgbe")


async def test_unplug_and_plug_show(scene: Scene) -> None:
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        scene.node.unplug(NIC)
        await until(lambda: scene.device(NIC) is None and scene.published() == PUBLISHED - 1)
        scene.node.reload(load_spec(SPEC))
        await until(lambda: scene.published() == PUBLISHED)


async def test_a_burst_of_virtual_functions_costs_a_scan_or_two(scene: Scene) -> None:
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        await scene.settled()
        before = scene.hardware[0].looks
        scene.node.write(scene.path(PF) / "sriov_numvfs", "8")
        await until(lambda: scene.published() == PUBLISHED + 8)

        assert scene.hardware[0].looks - before <= 2


async def test_at_rest_nothing_is_written(scene: Scene) -> None:
    """Neither by an agent that has settled, nor by one that starts over what is right already."""
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        await scene.settled()
    before = scene.writes
    async with scene.agent():
        await scene.settled()

    assert scene.writes == before


async def test_each_device_costs_two_writes(scene: Scene) -> None:
    """One that makes the object and one for its status; the watch that brings them back causes none."""
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        await scene.settled()

    assert scene.writes == 2 * PUBLISHED


async def test_a_claimed_device_that_vanished_stays_and_says_so(scene: Scene, person: Person) -> None:
    """Losing its object would lose the claim's; only when the claim has gone too, the object goes."""
    person.claim(NIC)
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        scene.node.unplug(NIC)
        await until(lambda: present(scene, NIC) == ("False", "DeviceNotFound"))
        person.delete(NIC)
        await until(lambda: scene.device(NIC) is None)


async def test_a_device_that_cannot_be_read_keeps_its_object(scene: Scene) -> None:
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        (scene.path(NIC) / "vendor").write_text("rubbish\n")
        scene.node.write(scene.node.sysfs / "bus/pci/drivers/ixgbe/unbind", TWIN)

        await until(lambda: present(scene, NIC) == ("Unknown", "DeviceUnreadable"))


async def test_a_new_pci_ids_renames_nothing(scene: Scene, tmp_path: Path) -> None:
    """Virtual machines ask for the name; an equal card that is added later shares it."""
    new = tmp_path / "pci.ids"
    new.write_text("8086  Intel Corporation\n\t10fb  Renamed Network Connection\n10de  NVIDIA Corporation\n")
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
    old = scene.device(TWIN)
    scene.server.delete(KIND, scene.name(NIC))
    async with scene.agent(pci_ids=new):
        await until(lambda: scene.published() == PUBLISHED)

    assert old is not None
    for address in (NIC, TWIN):
        device = scene.device(address)
        assert device is not None
        assert device["status"]["resourceName"] == old["status"]["resourceName"]


async def test_what_somebody_else_changed_is_put_right(scene: Scene) -> None:
    """And what is theirs, a label or an annotation, is left alone."""
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        labels = {"team": "blue", "devices.harvesterhci.io/vendor": None}
        scene.server.patch(KIND, scene.name(NIC), {"metadata": {"labels": labels}})
        await until(lambda: "devices.harvesterhci.io/vendor" in (scene.device(NIC) or {})["metadata"]["labels"])

        assert (scene.device(NIC) or {})["metadata"]["labels"]["team"] == "blue"


async def test_a_deleted_object_comes_back(scene: Scene) -> None:
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        scene.server.delete(KIND, scene.name(NIC))
        await until(lambda: scene.published() == PUBLISHED)


async def test_the_node_may_appear_after_its_devices(memory: Path) -> None:
    """Then its devices get it as their owner."""
    async with a_scene(memory, SPEC) as scene, scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        scene.join()
        await until(lambda: all("ownerReferences" in device["metadata"] for device in scene.server.list(KIND)))


async def test_two_agents_over_the_same_hardware_agree(scene: Scene) -> None:
    async with scene.agent(), scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        scene.node.unplug(NIC)
        await until(lambda: scene.published() == PUBLISHED - 1)
        await scene.settled()
        before = scene.writes
        await scene.settled()

        assert scene.writes == before


async def test_a_simulated_agent_never_touches_a_real_nodes_objects(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = SimulatedNode(tmp_path / "other", load_spec(SPEC.replace("1c02", "1c03")))
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        await scene.settled()
    before = scene.writes
    async with scene.agent(policy=Policy(simulated=True), node=other):
        await scene.settled()

    assert scene.writes == before


@pytest.mark.parametrize("cut", ["end", "drop", "mid-line"])
async def test_a_cut_watch_loses_nothing(scene: Scene, cut: str) -> None:
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        scene.server.faults.cut_watches(cut)  # type: ignore[arg-type]
        scene.server.delete(KIND, scene.name(NIC))
        await until(lambda: scene.published() == PUBLISHED)


async def test_a_forgotten_history_is_listed_anew(scene: Scene) -> None:
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        scene.server.delete(KIND, scene.name(NIC))
        scene.server.faults.expire_history()
        scene.server.faults.cut_watches("drop")
        await until(lambda: scene.published() == PUBLISHED)


async def test_an_api_server_that_was_away_finds_all_as_it_is_now(scene: Scene) -> None:
    async with scene.agent():
        await until(lambda: scene.published() == PUBLISHED)
        await scene.server.pause()
        scene.node.unplug(NIC)
        await scene.server.resume()
        await until(lambda: scene.published() == PUBLISHED - 1)


def present(scene: Scene, address: str) -> tuple[str, str] | None:
    device = scene.device(address)
    if device is None:
        return None
    condition = device["status"]["conditions"][0]
    return condition["status"], condition["reason"]
