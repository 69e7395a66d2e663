"""Who has what, when the kubelet's two answers differ."""

from __future__ import annotations

import json

from pathlib import Path

import pytest

from anyio import create_task_group

from pcidevices.adapters.kubelet.checkpoint import NAME as CHECKPOINT
from pcidevices.adapters.kubelet.local import LocalKubelet
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.offer import Offer
from pcidevices.errors import KubeletAway
from pcidevices.runtime.latest import Latest
from tests.integration.kubelet.conftest import NAME
from tests.support.agent import until
from tests.support.kubelet import FakeKubelet


VM = HeldDevice("vms", "vm-1", "compute", NAME, ("0000:04:00.0",))
STATIC = HeldDevice("kube-system", "proxy", "main", "example.com/other", ("one",))


class Named:
    """The pods that the kubelet names."""

    def __init__(self, *held: HeldDevice) -> None:
        self.answer = held

    async def held(self) -> tuple[HeldDevice, ...]:
        return self.answer


@pytest.fixture
def named() -> Named:
    return Named()


@pytest.fixture
def local(folder: Path, named: Named) -> LocalKubelet:
    (folder / "device-plugins").mkdir()
    (folder / "pod-resources").mkdir()
    (folder / "pod-resources/kubelet.sock").touch()
    kubelet = LocalKubelet(folder)
    kubelet._resources = named  # type: ignore[assignment]
    return kubelet


def write(folder: Path, *ids: str) -> None:
    entry = {"PodUID": "a", "ContainerName": "compute", "ResourceName": NAME, "DeviceIDs": {"-1": ids}}
    data: dict[str, object] = {"PodDeviceEntries": [entry] if ids else None, "RegisteredDevices": {}}
    (folder / "device-plugins" / CHECKPOINT).write_text(json.dumps({"Data": data, "Checksum": 1}))


async def test_what_both_name_is_told_once(folder: Path, local: LocalKubelet, named: Named) -> None:
    write(folder, "0000:04:00.0")
    named.answer = (VM,)

    assert await local.held() == (VM,)


@pytest.mark.parametrize("pods", [(), (STATIC,)])
async def test_what_only_the_checkpoint_names_is_held_by_somebody(
    folder: Path, local: LocalKubelet, named: Named, pods: tuple[HeldDevice, ...]
) -> None:
    """As after a start of the kubelet, which names static pods before the others."""
    write(folder, "0000:04:00.0")
    named.answer = pods

    assert await local.held() == (*pods, HeldDevice("", "", "compute", NAME, ("0000:04:00.0",)))


async def test_part_of_an_entry_may_have_a_name(folder: Path, local: LocalKubelet, named: Named) -> None:
    write(folder, "0000:04:00.0", "0000:05:00.0")
    named.answer = (VM,)

    assert await local.held() == (VM, HeldDevice("", "", "compute", NAME, ("0000:05:00.0",)))


async def test_a_checkpoint_that_makes_no_sense_is_no_answer(folder: Path, local: LocalKubelet) -> None:
    (folder / "device-plugins" / CHECKPOINT).write_text("{")

    with pytest.raises(KubeletAway, match="cannot be read"):
        await local.held()


async def test_a_kubelet_that_has_its_folder_and_nothing_in_it_has_given_nothing_away(folder: Path) -> None:
    (folder / "device-plugins").mkdir()

    assert await LocalKubelet(folder).held() == ()


async def test_a_socket_that_cannot_be_looked_for_is_no_answer(folder: Path) -> None:
    (folder / "device-plugins").mkdir()
    (folder / "pod-resources").write_text("no folder")

    with pytest.raises(KubeletAway, match="cannot be found"):
        await LocalKubelet(folder).held()


async def test_a_checkpoint_that_is_behind_is_written_anew(
    folder: Path, local: LocalKubelet, offers: Latest[Offer]
) -> None:
    """The kubelet writes it when a plugin has told of its devices, also when they are the same."""
    kubelet = FakeKubelet(folder / "device-plugins")
    kubelet.start()
    plugin = local.plugin(offers)
    try:
        async with create_task_group() as tg:
            await tg.start(plugin.run)
            await until(lambda: kubelet.frames)
            told, before = plugin.told, list(kubelet.frames)
            assert await local.held() == ()
            write(folder, "0000:04:00.0")
            assert len(await local.held()) == 1
            await until(lambda: len(kubelet.frames) == len(before) + 1)
            assert kubelet.frames[-1] == before[-1]
            assert plugin.told == told
            tg.cancel_scope.cancel()
    finally:
        kubelet.stop()
