"""Pods: what they get, and how they fail."""

from __future__ import annotations

import pytest

from tests.contract.kubelet.world import ALL, THREE, World
from tests.support.deviceplugin import Listed
from tests.support.kubeletcalls import Refused, held_by


async def test_a_container_gets_what_the_plugin_answers(world: World) -> None:
    """Environment and device nodes."""
    await world.registered()

    _, pod = await world.pod()

    assert pod.phase == "Running"
    assert len(pod.given & ALL) == 1
    assert pod.nodes == {("/dev/null", "/dev/given", "mrw")}


async def test_no_device_is_given_twice(world: World) -> None:
    """To three pods, three devices; the fourth is told how many there are."""
    await world.registered()

    given = [(await world.pod())[1].given for _ in range(3)]
    _, fourth = await world.pod()

    assert frozenset().union(*given) == ALL
    assert (fourth.phase, fourth.reason) == ("Failed", "UnexpectedAdmissionError")
    assert fourth.message == (
        f"Pod was rejected: Allocate failed due to requested number of devices unavailable for {world.resource}. "
        "Requested: 1, Available: 0, which is unexpected"
    )


async def test_what_a_pod_held_is_free_when_it_is_gone(world: World) -> None:
    """All of it, for the next one."""
    await world.registered()
    name, _ = await world.pod(count=3)

    await world.remove(name)

    _, pod = await world.pod(count=3)
    assert pod.given == ALL


async def test_a_plugin_that_refuses_is_quoted_in_the_status_of_the_pod(world: World) -> None:
    """Its text is what the user reads; no device is lost by it."""
    plugin = await world.registered()
    plugin.refusal = "0000:01:00.0 is not bound to vfio-pci"

    _, pod = await world.pod()
    plugin.refusal = ""
    _, next_pod = await world.pod(count=3)

    assert (pod.phase, pod.reason) == ("Failed", "UnexpectedAdmissionError")
    assert pod.message == (
        "Pod was rejected: Allocate failed due to rpc error: code = FailedPrecondition desc = "
        "0000:01:00.0 is not bound to vfio-pci, which is unexpected"
    )
    assert next_pod.given == ALL


async def test_an_unhealthy_device_is_not_given(world: World) -> None:
    """The others are."""
    plugin = await world.registered()
    bad, *good = sorted(ALL)
    plugin.list_devices({**THREE, bad: Listed(healthy=False)})
    await world.sees(set(good))

    _, pod = await world.pod(count=2)

    assert pod.given == set(good)


@pytest.mark.parametrize("preferred", sorted(ALL))
async def test_a_plugin_may_say_which_device_it_prefers(world: World, preferred: str) -> None:
    """It is asked when its own options offer that; those in the request for registration do not count."""
    plugin = world.plugin()
    plugin.preferred = (preferred,)
    await plugin.register(world.socket)
    await world.sees(ALL)

    _, pod = await world.pod()

    assert pod.given == {preferred}


async def test_a_plugin_that_cannot_say_what_it_prefers_gets_no_pod(world: World) -> None:
    """What it would allocate is not asked any more."""
    plugin = world.plugin()
    plugin.preferred = ()
    plugin.undecided = True
    await plugin.register(world.socket)
    await world.sees(ALL)

    _, pod = await world.pod()

    assert (pod.phase, pod.reason) == ("Failed", "UnexpectedAdmissionError")
    assert pod.message == (
        "Pod was rejected: Allocate failed due to device plugin GetPreferredAllocation rpc failed with err: "
        "rpc error: code = Internal desc = no idea, which is unexpected"
    )


async def test_who_holds_what_is_told_by_name(world: World) -> None:
    """By List and by Get alike."""
    await world.registered()

    name, pod = await world.pod(count=2)

    assert await world.holders() == {name: pod.given}
    assert await held_by(world.kubelet.pod_resources, name, world.resource) == pod.given


async def test_a_pod_that_there_is_not_is_not_found(world: World) -> None:
    """The status is UNKNOWN here, too."""
    with pytest.raises(Refused, match="pod nobody in namespace default not found") as refused:
        await held_by(world.kubelet.pod_resources, "nobody", world.resource)

    assert refused.value.status == "UNKNOWN"


async def test_a_device_that_is_not_listed_any_more_is_still_held(world: World) -> None:
    """As long as the pod lives."""
    plugin = await world.registered()
    name, pod = await world.pod()

    plugin.list_devices({one: Listed() for one in ALL - pod.given})

    await world.sees(ALL - pod.given)
    assert await world.holders() == {name: pod.given}


async def test_a_failed_pod_holds_nothing(world: World) -> None:
    """Neither by name nor without one."""
    plugin = await world.registered()
    plugin.refusal = "no"

    await world.pod()

    assert await world.holders() == {}
