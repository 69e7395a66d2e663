"""What the contract suite cannot ask of a real kubelet, because it takes a switch, a clock or a crash."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path

import pytest

from anyio import create_task_group, to_thread

from pcidevices.sim.apiserver import ApiServer
from pcidevices.sim.kubelet import Counts, Dialling, Rejected, SimulatedKubelet, report
from tests.support.deviceplugin import Plugin
from tests.support.kubeletcalls import Refused, allocatable, held_by, holders
from tests.support.waiting import stays, until


MakePlugin = Callable[..., Plugin]
GPU, NIC = "x.example/gpu", "x.example/nic"


def socket_of(kubelet: SimulatedKubelet) -> Path:
    return kubelet.device_plugins / "kubelet.sock"


async def register(kubelet: SimulatedKubelet, plugin: Plugin) -> None:
    """And wait until the kubelet has its devices."""
    await plugin.register(socket_of(kubelet))
    await until(lambda: allocatable(kubelet.pod_resources, plugin.resource), {"a", "b"})


async def counts(kubelet: SimulatedKubelet, resource: str) -> Counts | None:
    return kubelet.status().get(resource)


async def test_a_resource_without_a_plugin_is_forgotten_and_stays_at_zero(tmp_path: Path, a_plugin: MakePlugin) -> None:
    """Here at once. A pod that asks for it fails, for another reason than before."""
    async with SimulatedKubelet(tmp_path, grace=0) as kubelet:
        plugin = a_plugin()
        await register(kubelet, plugin)

        await plugin.close()

        await until(lambda: counts(kubelet, GPU), Counts(0, 0))
        await stays(lambda: counts(kubelet, GPU), Counts(0, 0))
        with pytest.raises(Rejected, match="Node didn't have enough resource") as rejected:
            await kubelet.admit("pod", {GPU: 1})
        assert rejected.value.reason == "OutOfx.example/gpu"


async def test_a_resource_that_no_plugin_ever_had_is_nobodys_business(kubelet: SimulatedKubelet) -> None:
    """The pod runs, without a device."""
    given = await kubelet.admit("pod", {GPU: 1})

    assert (given.devices, given.env, given.nodes) == ({}, {}, ())


async def test_a_pod_gets_all_its_resources_or_none(kubelet: SimulatedKubelet, a_plugin: MakePlugin) -> None:
    """What was given before another plugin refused is free for the next pod."""
    gpus, nics = a_plugin(), a_plugin(NIC)
    await register(kubelet, gpus)
    await register(kubelet, nics)
    nics.refusal = "no"
    with pytest.raises(Rejected):
        await kubelet.admit("unlucky", {GPU: 2, NIC: 1})
    nics.refusal = ""

    given = await kubelet.admit("lucky", {GPU: 2, NIC: 1})

    assert set(given.devices[GPU]) == {"a", "b"}
    assert len(given.devices[NIC]) == 1


async def test_a_restart_can_keep_the_inodes_of_the_sockets(kubelet: SimulatedKubelet, a_plugin: MakePlugin) -> None:
    """Who compares inodes alone sees no restart; the times of change are others."""
    plugin = a_plugin()
    await register(kubelet, plugin)
    before = socket_of(kubelet).stat()

    await kubelet.restart(keep_inodes=True)

    after = socket_of(kubelet).stat()
    assert after.st_ino == before.st_ino
    assert after.st_ctime_ns != before.st_ctime_ns
    assert not plugin.path.exists()
    await plugin.close()
    await register(kubelet, plugin.listen())


async def test_a_kubelet_that_has_ended_leaves_sockets_where_nobody_listens(
    kubelet: SimulatedKubelet, a_plugin: MakePlugin
) -> None:
    """As a process that was killed."""
    await kubelet.stop()

    assert socket_of(kubelet).is_socket()
    with pytest.raises(Refused) as refused:
        await a_plugin().register(socket_of(kubelet))
    assert refused.value.status == "UNAVAILABLE"


async def test_a_kubelet_hears_of_its_pods_after_a_while(kubelet: SimulatedKubelet, a_plugin: MakePlugin) -> None:
    """Until then it names none and admits none."""
    plugin = a_plugin()
    await register(kubelet, plugin)
    first = await kubelet.admit("first", {GPU: 1})

    await kubelet.restart(blind_for=1)
    assert await holders(kubelet.pod_resources, GPU) == {}
    with pytest.raises(Refused, match="not found"):
        await held_by(kubelet.pod_resources, "first", GPU)
    await plugin.close()
    await register(kubelet, plugin.listen())
    second = await kubelet.admit("second", {GPU: 1})

    assert await holders(kubelet.pod_resources, GPU) == {
        "first": set(first.devices[GPU]),
        "second": set(second.devices[GPU]),
    }


async def test_the_file_of_the_kubelet_tells_who_holds_what(kubelet: SimulatedKubelet, a_plugin: MakePlugin) -> None:
    """Also while it does not run."""
    await register(kubelet, a_plugin())
    given = await kubelet.admit("pod", {GPU: 1})
    await kubelet.stop()

    path = kubelet.device_plugins / "kubelet_internal_checkpoint"
    data = json.loads(await to_thread.run_sync(path.read_text))["Data"]

    [entry] = data["PodDeviceEntries"]
    assert (entry["ResourceName"], entry["DeviceIDs"]) == (GPU, {"-1": list(given.devices[GPU])})
    assert data["RegisteredDevices"] == {GPU: ["a", "b"]}


async def test_a_plugin_may_begin_to_listen_while_it_is_dialled(
    kubelet: SimulatedKubelet, a_plugin: MakePlugin
) -> None:
    """The kubelet tries again until its patience is over."""
    plugin = a_plugin()
    await plugin.close()

    async with create_task_group() as tg:
        tg.start_soon(plugin.register, socket_of(kubelet))
        plugin.listen()

    await until(lambda: allocatable(kubelet.pod_resources, GPU), {"a", "b"})


async def test_kubelets_to_come_refuse_a_path_that_is_connected(tmp_path: Path, a_plugin: MakePlugin) -> None:
    """And tell plugins apart by it: the end of the old one does not concern the new one."""
    async with SimulatedKubelet(tmp_path, dialling=Dialling(one_per_path=True)) as kubelet:
        old, new = a_plugin(), a_plugin()
        await register(kubelet, old)
        with pytest.raises(Refused, match="is still connected"):
            await old.register(socket_of(kubelet))
        await register(kubelet, new)

        await old.close()

        await stays(lambda: allocatable(kubelet.pod_resources, GPU), {"a", "b"})
        assert new.streams == 1
        await new.close()
        await until(lambda: allocatable(kubelet.pod_resources, GPU), set())


async def test_the_node_object_shows_what_the_kubelet_counts(kubelet: SimulatedKubelet, a_plugin: MakePlugin) -> None:
    """Each number as text, beside what others have written there."""
    server = ApiServer()
    server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"capacity": {"cpu": "4"}}})

    async def status() -> object:
        shown = server.get("nodes", "n")["status"]
        return shown["capacity"], shown.get("allocatable")

    async with create_task_group() as tg:
        tg.start_soon(lambda: report(kubelet, lambda change: server.patch("nodes", "n", change), every=0.01))
        plugin = a_plugin()
        await register(kubelet, plugin)
        await until(status, ({"cpu": "4", GPU: "2"}, {GPU: "2"}))
        await plugin.close()
        await until(status, ({"cpu": "4", GPU: "2"}, {GPU: "0"}))
        tg.cancel_scope.cancel()


async def test_whoever_waits_is_told_of_a_change(kubelet: SimulatedKubelet, a_plugin: MakePlugin) -> None:
    """Of a plugin's first list, for example."""
    plugin = a_plugin()

    async with create_task_group() as tg:
        tg.start_soon(kubelet.wait_for_change)
        await plugin.register(socket_of(kubelet))

    await until(lambda: counts(kubelet, GPU), Counts(2, 2))
