"""The view through the watch is late, or lacks an object; neither does harm."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from anyio import sleep

from pcidevices.domain.inventory import Policy
from pcidevices.domain.naming import PciNames
from pcidevices.errors import Conflict
from tests.support.builders import a_condition, a_gpu, a_published, seen

from .cluster import Cluster
from .scene import NAME, Agent


GPU = a_gpu()
BARE = a_published(GPU, labels={"team": "blue"})
"""Somebody took the label off that the agent's watch selects by."""


@pytest.mark.parametrize("there_before", [True, False])
async def test_nothing_is_written_while_the_view_is_behind_the_last_write(*, there_before: bool) -> None:
    cluster = Cluster()
    if there_before:
        cluster.put(a_published(GPU))
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))
    await agent.reconcile()
    written = cluster.objects[NAME]

    agent.see(GPU)
    later = await agent.reconcile()

    assert cluster.objects[NAME] == written
    assert not later.changed
    assert later.requeue_after is not None


async def test_once_the_view_has_caught_up_writing_goes_on() -> None:
    cluster = Cluster()
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))
    await agent.reconcile()
    agent.see(GPU)
    await agent.reconcile()

    agent.catch_up()
    await agent.reconcile()

    assert cluster.objects[NAME].status.kernel_driver_in_use == "nvidia"


async def test_a_write_that_somebody_followed_up_does_not_hold_the_agent_off() -> None:
    """The view has a newer version than the agent wrote: it is not behind."""
    cluster = Cluster()
    agent = Agent(cluster, GPU)
    await agent.reconcile()
    cluster.edit(NAME, labels={"nodename": "janus"})

    after = await agent.settle()

    assert after is not None
    assert after.labels == a_published(GPU).labels


async def test_an_object_deleted_right_after_it_was_made_is_made_again() -> None:
    """It never comes into view; that the whole view is newer says that it is gone."""
    cluster = Cluster()
    agent = Agent(cluster, GPU)
    await agent.reconcile()
    cluster.drop(NAME)

    assert await agent.settle() is not None


async def test_an_object_without_its_label_is_adopted() -> None:
    """It exists, and would stay out of view for ever."""
    cluster = Cluster()
    cluster.put(BARE)
    agent = Agent(cluster, replace(GPU, driver="vfio-pci"))

    adopted = await agent.settle()

    assert adopted is not None
    assert adopted.labels == {**a_published(GPU).labels, "team": "blue"}
    assert adopted.status.kernel_driver_in_use == "vfio-pci"
    assert adopted.owners == a_published(GPU).owners


async def test_an_adopted_object_keeps_its_resource_name() -> None:
    """Virtual machines ask for it, whoever took the label off."""
    cluster = Cluster()
    cluster.put(BARE)
    agent = Agent(cluster, replace(GPU, names=PciNames("NVIDIA Corporation", "GP106 [Renamed]")))

    adopted = await agent.settle()

    assert adopted is not None
    assert adopted.status.resource_name == BARE.status.resource_name


async def test_an_adopted_object_keeps_the_conditions_of_others_and_the_time_of_ours() -> None:
    cluster = Cluster()
    conditions = (a_condition("Healthy", "False"), seen())
    cluster.put(a_published(GPU, labels={}, conditions=conditions))
    agent = Agent(cluster, GPU)

    adopted = await agent.settle()

    assert adopted is not None
    assert adopted.status.conditions == conditions


async def test_an_object_that_the_watch_has_yet_to_bring_is_waited_for() -> None:
    cluster = Cluster()
    agent = Agent(cluster, GPU)
    whole = cluster.put(a_published(GPU))

    with pytest.raises(Conflict):
        await agent.reconcile()

    assert cluster.objects[NAME] == whole


async def test_an_object_on_its_way_out_is_not_adopted() -> None:
    cluster = Cluster()
    leaving = cluster.put(replace(BARE, deleting=True))
    agent = Agent(cluster, GPU)

    with pytest.raises(Conflict):
        await agent.reconcile()

    assert cluster.objects[NAME] == leaving


@pytest.mark.parametrize("labels", [{}, dict(a_published(GPU).labels)], ids=["without its label", "not yet in view"])
async def test_a_simulation_adopts_no_real_devices_object(labels: dict[str, str]) -> None:
    cluster = Cluster()
    agent = Agent(cluster, GPU, policy=Policy(simulated=True))
    real = cluster.put(a_published(GPU, labels=labels))

    with suppress(Conflict):  # to look again later is as good as to leave it
        await agent.reconcile()

    assert cluster.objects[NAME] == real


async def test_a_cluster_that_counts_from_a_lower_version_is_not_waited_for_for_ever() -> None:
    """As after it was restored from a backup: what was written last never comes into view."""
    cluster = Cluster()
    agent = Agent(cluster, GPU)
    await agent.reconcile()
    restored = Cluster()
    restored.version = 1
    restored.put(a_published(GPU))
    agent.cluster.objects, agent.cluster.version = restored.objects, restored.version
    agent.see(replace(GPU, driver="vfio-pci"))
    agent.catch_up()

    assert (await agent.reconcile()).requeue_after is not None
    await sleep(61)
    await agent.reconcile()

    assert cluster.objects[NAME].status.kernel_driver_in_use == "vfio-pci"
