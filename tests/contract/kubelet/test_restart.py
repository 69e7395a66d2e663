"""The kubelet ends and another one starts."""

from __future__ import annotations

from tests.contract.kubelet.world import ALL, World


async def test_a_restart_ends_the_stream_and_removes_every_socket(world: World) -> None:
    """kubelet.sock is made anew; that its inode number is another is not certain, that its ctime is another is."""
    plugin = await world.registered()
    foreign = world.kubelet.device_plugins / "notes.txt"
    foreign.touch()
    before = world.socket.stat()

    await world.kubelet.restart()

    await world.streams(plugin, 0)
    assert not plugin.path.exists()
    assert world.socket.stat().st_ctime_ns != before.st_ctime_ns
    assert foreign.exists()
    foreign.unlink()


async def test_after_a_restart_nothing_can_be_allocated_until_the_plugin_registers(world: World) -> None:
    """Nor is there any capacity: the kubelet remembers that there was such a resource, and no more."""
    plugin = await world.registered()
    await world.counts_as(3, 3)

    await world.kubelet.restart()

    assert await world.allocatable() == set()
    await world.counts_as(0, 0)
    await plugin.close()
    await plugin.listen().register(world.socket)
    await world.sees(ALL)
    await world.counts_as(3, 3)


async def test_what_pods_hold_outlives_a_restart(world: World) -> None:
    """It is not given to others, and it is named."""
    plugin = await world.registered()
    name, pod = await world.pod()

    await world.kubelet.restart()
    await plugin.close()
    await plugin.listen().register(world.socket)
    await world.sees(ALL)

    assert await world.holders() == {name: pod.given}
    _, other = await world.pod(count=2)
    assert other.given == ALL - pod.given


async def test_list_is_empty_until_the_kubelet_hears_of_its_pods(world: World) -> None:
    """Without an error; what is held looks free. GetAllocatableResources is right meanwhile."""
    plugin = await world.registered()
    name, pod = await world.pod()

    await world.kubelet.restart(with_api=False)
    try:
        await plugin.close()
        await plugin.listen().register(world.socket)
        await world.sees(ALL)
        assert await world.holders() == {}
    finally:
        await world.kubelet.api_comes_back()

    await world.is_held({name: set(pod.given)})
