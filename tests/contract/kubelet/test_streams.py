"""ListAndWatch: what its messages and its end do to the node."""

from __future__ import annotations

import pytest

from tests.contract.kubelet.world import ALL, THREE, World
from tests.support.deviceplugin import Listed
from tests.support.kubeletcalls import Refused, placed
from tests.support.waiting import stays


_FIRST, *_OTHERS = sorted(ALL)


async def test_a_device_that_becomes_unhealthy_cannot_be_allocated(world: World) -> None:
    """It still counts as capacity."""
    plugin = await world.registered()

    plugin.list_devices({**THREE, _FIRST: Listed(healthy=False)})

    await world.sees(set(_OTHERS))
    await world.counts_as(3, 2)


async def test_a_device_that_is_not_listed_any_more_is_no_capacity(world: World) -> None:
    """Every message says all there is."""
    plugin = await world.registered()

    plugin.list_devices({name: Listed() for name in _OTHERS})

    await world.sees(set(_OTHERS))
    await world.counts_as(2, 2)


async def test_a_device_has_an_entry_for_each_of_its_numa_nodes(world: World) -> None:
    """One whose plugin says nothing has one entry; one that is said to be nowhere has none."""
    plugin = await world.registered()
    none, both, nowhere = sorted(ALL)

    plugin.list_devices({none: Listed(), both: Listed(nodes=(0, 1)), nowhere: Listed(nodes=())})

    await world.sees({none, both})
    assert await placed(world.kubelet.pod_resources, world.resource) == [(none, ()), (both, (0,)), (both, (1,))]


@pytest.mark.parametrize("in_order", [True, False])
async def test_the_end_of_the_stream_leaves_nothing_to_allocate(world: World, *, in_order: bool) -> None:
    """However it ends. The capacity stays for a while."""
    plugin = await world.registered()
    await world.counts_as(3, 3)

    await plugin.close(in_order=in_order)

    await world.sees(set())
    await world.counts_as(3, 0)


async def test_the_kubelet_does_not_come_back_by_itself(world: World) -> None:
    """A plugin whose stream ended, and whose server goes on, is gone until it registers."""
    plugin = await world.registered()

    plugin.end_streams()

    await world.sees(set())
    await world.streams(plugin, 0)


async def test_a_pod_that_comes_after_the_end_of_the_stream_fails(world: World) -> None:
    """With a message of the kubelet's own."""
    plugin = await world.registered()
    await plugin.close()
    await world.sees(set())

    _, pod = await world.pod()

    assert (pod.phase, pod.reason) == ("Failed", "UnexpectedAdmissionError")
    assert pod.message == (
        "Pod was rejected: Allocate failed due to no healthy devices present; "
        f"cannot allocate unhealthy devices {world.resource}, which is unexpected"
    )


async def test_a_socket_that_is_removed_does_not_end_the_stream(world: World) -> None:
    """Allocate goes over the connection that is open."""
    plugin = await world.registered()

    plugin.path.unlink()

    _, pod = await world.pod()
    assert pod.phase == "Running"
    assert await world.allocatable() == ALL


@pytest.mark.parametrize("fresh_name", [True, False])
async def test_a_plugin_that_has_really_ended_can_be_followed_by_another(world: World, *, fresh_name: bool) -> None:
    """On another socket or on the same, again and again; at once, if the kubelet has closed the old connection."""
    plugin = await world.registered()
    for _ in range(5):
        await plugin.close()
        if fresh_name:
            plugin = world.plugin()
        else:
            plugin.listen()
        try:
            await plugin.register(world.socket)
        except Refused as refused:
            if "the client connection is closing" not in str(refused):
                raise
            await plugin.register(world.socket)
        await world.sees(ALL)
        await world.streams(plugin, 1)
        await stays(world.allocatable, ALL)
