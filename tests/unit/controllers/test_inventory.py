"""Every PCIDevice says what is seen, and is written only when it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.domain.held import HeldDevice
from pcidevices.domain.inventory import Policy
from pcidevices.domain.naming import PciNames
from pcidevices.errors import Conflict, NotFound
from pcidevices.runtime.controller import CHANGED, SETTLED
from tests.support.builders import a_claim, a_condition, a_gpu, a_node, a_published, seen

from .cluster import Cluster
from .scene import NAME, NOW, Agent


GPU = a_gpu()
OTHER = a_gpu("0000:0a:00.0")


async def test_a_new_device_gets_an_object_with_all_that_is_seen() -> None:
    cluster = Cluster()
    agent = Agent(cluster, GPU)

    assert await agent.reconcile() == CHANGED

    expected = a_published(GPU, conditions=[seen(NOW)])
    made = cluster.objects[NAME]
    assert (made.labels, made.owners, made.status) == (expected.labels, expected.owners, expected.status)


async def test_what_is_said_already_is_not_written_again() -> None:
    cluster = Cluster()
    agent = Agent(cluster, GPU)
    await agent.reconcile()
    agent.catch_up()
    before = cluster.version

    assert await agent.reconcile() == SETTLED
    assert cluster.version == before


async def test_only_what_differs_is_written() -> None:
    """One write for the status alone: what others write meanwhile in the metadata stays."""
    cluster = Cluster()
    cluster.put(a_published(GPU, labels={**a_published(GPU).labels, "team": "blue"}))
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))
    before = cluster.version

    assert await agent.reconcile() == CHANGED

    assert cluster.version == before + 1
    assert cluster.objects[NAME].status.kernel_driver_in_use == "vfio-pci"
    assert cluster.objects[NAME].labels["team"] == "blue"


async def test_labels_owners_and_status_are_mended_in_one_go() -> None:
    cluster = Cluster()
    cluster.put(a_published(GPU, labels={"nodename": "janus"}, owners=[a_node(uid="earlier").as_owner]))
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))

    assert await agent.reconcile() == CHANGED

    mended = cluster.objects[NAME]
    assert mended.labels == a_published(GPU).labels
    assert mended.owners == (a_node().as_owner,)
    assert mended.status.kernel_driver_in_use == "vfio-pci"


async def test_the_object_of_a_device_that_vanished_is_removed() -> None:
    cluster = Cluster()
    cluster.put(a_published(GPU))
    agent = Agent(cluster, OTHER)

    assert await agent.reconcile() == CHANGED
    assert cluster.objects == {}

    assert await agent.reconcile() == CHANGED  # the view still has it; that it is gone is what was wanted
    assert await agent.settle() is None


async def test_a_claimed_device_that_vanished_is_said_to_be_missing() -> None:
    cluster = Cluster()
    cluster.put(a_published(GPU))
    agent = Agent(cluster)
    agent.see(claims=(a_claim(),))

    missing = await agent.settle()

    assert missing is not None
    assert [(c.type, c.status) for c in missing.status.conditions] == [("Present", "False")]


async def test_a_claim_on_another_device_keeps_nothing() -> None:
    cluster = Cluster()
    cluster.put(a_published(GPU))
    agent = Agent(cluster, OTHER)
    agent.see(OTHER, claims=(a_claim(OTHER),))

    assert await agent.settle() is None


async def test_a_bus_without_anything_on_it_takes_nothing_away() -> None:
    """It is rather a wrong mount than a machine that lost all its devices."""
    cluster = Cluster()
    cluster.put(a_published(GPU))
    agent = Agent(cluster)

    assert await agent.settle() == cluster.objects[NAME]


async def test_a_second_card_takes_the_resource_name_of_its_equal() -> None:
    cluster = Cluster()
    cluster.put(a_published(a_gpu("0000:0a:00.0"), resource_name="nvidia.com/OLD"))
    agent = Agent(cluster, replace(GPU, names=PciNames("NVIDIA Corporation", "New")))

    made = await agent.settle()

    assert made is not None
    assert made.status.resource_name == "nvidia.com/OLD"


async def test_a_conflict_is_raised_and_nothing_overwritten() -> None:
    cluster = Cluster()
    cluster.put(a_published(GPU))
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))
    theirs = cluster.edit(NAME, labels={**a_published(GPU).labels, "team": "blue"})

    with pytest.raises(Conflict):
        await agent.reconcile()

    assert cluster.objects[NAME] == theirs


async def test_a_changed_object_is_not_removed_unseen() -> None:
    """Somebody may just have claimed the device."""
    cluster = Cluster()
    cluster.put(a_published(GPU))
    agent = Agent(cluster, OTHER)
    theirs = cluster.edit(NAME, labels={})

    with pytest.raises(Conflict):
        await agent.reconcile()

    assert cluster.objects[NAME] == theirs


async def test_an_object_deleted_by_hand_is_made_again() -> None:
    cluster = Cluster()
    cluster.put(a_published(GPU))
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))
    cluster.drop(NAME)

    with pytest.raises(NotFound):
        await agent.reconcile()
    made = await agent.settle()

    assert made is not None
    assert made.status.kernel_driver_in_use == "vfio-pci"


async def test_an_object_on_its_way_out_is_left_alone_until_it_is_gone() -> None:
    cluster = Cluster()
    cluster.put(a_published(GPU, deleting=True))
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))

    assert await agent.reconcile() == SETTLED
    cluster.drop(NAME)
    assert await agent.settle() is not None


async def test_what_others_say_of_the_device_is_kept() -> None:
    cluster = Cluster()
    theirs = a_condition("Healthy", "False")
    cluster.put(a_published(GPU, conditions=[theirs, seen()]))
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))

    after = await agent.settle()

    assert after is not None
    assert after.status.conditions == (theirs, seen())


async def test_a_simulation_does_not_publish_over_a_real_device() -> None:
    cluster = Cluster()
    real = cluster.put(a_published(GPU))
    agent = Agent(cluster, a_gpu(driver="simulated"), policy=Policy(simulated=True))

    assert await agent.reconcile() == SETTLED
    assert cluster.objects[NAME] == real


def held_by(pod: str) -> tuple[HeldDevice, ...]:
    return (HeldDevice("default", pod, "compute", "nvidia.com/x", (str(GPU.address),)),)


async def test_a_start_does_not_say_that_nobody_has_the_device() -> None:
    """The kubelet is asked some seconds later; until then what was told stays."""
    cluster = Cluster()
    before = Agent(cluster, GPU)
    before.registry.replace_held(held_by("vm"))
    await before.settle()
    version = cluster.version

    started = Agent(cluster, GPU)
    still = await started.settle()
    started.registry.replace_held(())
    then = await started.settle()

    assert still is not None
    assert then is not None
    assert (still.status.in_use_by, then.status.in_use_by) == (("default/vm",), ())
    assert cluster.version == version + 1


async def test_machines_that_come_and_go_are_no_contest() -> None:
    """A device that changes itself is written at once, however often."""
    agent = Agent(Cluster(), GPU)
    await agent.settle()
    for number in range(12):
        agent.registry.replace_held(held_by(f"vm-{number}") if number % 2 == 0 else ())
        agent.catch_up()

        assert await agent.reconcile() == CHANGED
