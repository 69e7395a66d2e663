"""Two plugins of one resource. Released kubelets know a plugin by its resource alone, and mistake one for the other."""

from __future__ import annotations

import pytest

from tests.contract.kubelet.world import ALL, THREE, World, refusal


async def test_a_second_registration_has_a_stream_beside_the_first(world: World) -> None:
    """It is not refused, and nothing shows."""
    old = await world.registered()
    new = world.plugin()

    await new.register(world.socket)

    await world.streams(new, 1)
    assert old.streams == 1
    assert await world.allocatable() == ALL


async def test_a_path_that_is_connected_is_not_refused(world: World) -> None:
    """The same plugin may register as often as it likes, and has as many streams."""
    plugin = await world.registered()

    await plugin.register(world.socket)

    await world.streams(plugin, 2)
    assert await world.allocatable() == ALL


@pytest.mark.parametrize("in_order", [True, False])
async def test_the_end_of_the_old_plugin_disconnects_the_new_one(world: World, *, in_order: bool) -> None:
    """And the resource is gone."""
    old = await world.registered()
    new = world.plugin()
    await new.register(world.socket)
    await world.streams(new, 1)

    await old.close(in_order=in_order)

    await world.sees(set())
    await world.streams(new, 0)


async def test_the_end_of_the_new_plugin_leaves_the_old_one_with_a_stream_for_nothing(world: World) -> None:
    """The kubelet does not close what it does not know any more."""
    old = await world.registered()
    new = world.plugin()
    await new.register(world.socket)
    await world.streams(new, 1)

    await new.close()

    await world.sees(set())
    assert old.streams == 1


async def test_devices_of_a_stream_that_is_left_over_are_shown_but_cannot_be_allocated(world: World) -> None:
    """Each message of it revives them; who would be asked for them is the plugin that was disconnected."""
    old = await world.registered()
    new = world.plugin()
    await new.register(world.socket)
    await world.streams(new, 1)
    await new.close()
    await world.sees(set())

    old.list_devices(THREE)

    await world.sees(ALL)
    _, pod = await world.pod()
    assert (pod.phase, pod.reason) == ("Failed", "UnexpectedAdmissionError")
    assert pod.message.startswith("Pod was rejected: Allocate failed due to endpoint ")
    assert pod.message.endswith(" has been stopped, which is unexpected")


async def test_the_next_registration_heals_it(world: World) -> None:
    """Whatever it was that happened."""
    old = await world.registered()
    new = world.plugin()
    await new.register(world.socket)
    await world.streams(new, 1)
    await old.close()
    await world.sees(set())

    await new.register(world.socket)

    await world.sees(ALL)
    await world.streams(new, 1)


async def test_after_a_registration_that_failed_the_end_of_the_stream_is_not_noticed(world: World) -> None:
    """What failed took the name of the one that works; so devices stay that nobody offers."""
    plugin = await world.registered()
    failing = world.plugin()
    failing.dumb = True
    assert await refusal(failing.register(world.socket)) != ("", "")

    await plugin.close()

    other = await world.registered(resource=f"{world.resource}-other")
    await world.streams(other, 1)
    assert await world.allocatable() == ALL
