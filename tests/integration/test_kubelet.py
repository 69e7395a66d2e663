"""Claims become node capacity, with the kernel, the API server and the kubelet replaced: what pods get."""

from __future__ import annotations

import pytest

from pcidevices.sim.kubelet import Rejected, SimulatedKubelet
from tests.support.agent import CLAIMS, Scene, until
from tests.support.machine import CARD, DISK, GPU, NIC, NICS, SOUND, TWIN
from tests.support.person import Person


def counts(kubelet: SimulatedKubelet, resource: str) -> tuple[int, int]:
    found = kubelet.status().get(resource)
    return (found.capacity, found.allocatable) if found else (0, 0)


async def test_a_claimed_device_is_allocatable_and_a_released_one_is_not(
    scene: Scene, person: Person, kubelet: SimulatedKubelet
) -> None:
    async with scene.agent():
        person.claim(NIC)
        person.claim(TWIN)
        await until(lambda: counts(kubelet, NICS) == (2, 2))

        person.delete(NIC)
        await until(lambda: person.gone(NIC) and counts(kubelet, NICS) == (1, 1))
        person.delete(TWIN)
        await until(lambda: person.gone(TWIN) and counts(kubelet, NICS)[1] == 0)


async def test_a_pod_gets_exactly_what_it_was_given(scene: Scene, person: Person, kubelet: SimulatedKubelet) -> None:
    async with scene.agent():
        person.claim(GPU)
        person.claim(SOUND)
        await until(lambda: counts(kubelet, CARD) == (1, 1))

        given = await kubelet.admit("vm", {CARD: 1})

        assert given.env == {"PCI_RESOURCE_NVIDIA_COM_GP106_GEFORCE_GTX_1060_3GB": GPU}
        assert {node.host_path for node in given.nodes} == {"/dev/vfio/vfio", f"/dev/vfio/{_group(scene, GPU)}"}


async def test_the_third_pod_of_two_devices_is_refused(scene: Scene, person: Person, kubelet: SimulatedKubelet) -> None:
    async with scene.agent():
        person.claim(NIC)
        person.claim(TWIN)
        await until(lambda: counts(kubelet, NICS) == (2, 2))

        first, second = [await kubelet.admit(name, {NICS: 1}) for name in ("one", "two")]
        with pytest.raises(Rejected, match="Requested: 1, Available: 0"):
            await kubelet.admit("three", {NICS: 1})

        assert {*first.env.values(), *second.env.values()} == {NIC, TWIN}


async def test_a_device_that_a_pod_holds_is_given_back_when_the_pod_has_gone(
    scene: Scene, person: Person, kubelet: SimulatedKubelet
) -> None:
    """Its machine has not opened the device yet: only the kubelet knows."""
    async with scene.agent():
        person.claim(NIC)
        person.claim(TWIN)
        await until(lambda: counts(kubelet, NICS) == (2, 2))
        await kubelet.admit("agent", {})
        given = await kubelet.admit("vm", {NICS: 1})
        held = given.env[next(iter(given.env))]
        person.delete(held)
        await person.told(held, "DeviceInUse")
        assert "pod default/vm" in person.message(held)
        assert scene.bound(held) == "vfio-pci"

        kubelet.remove("vm")
        await until(lambda: person.gone(held))
        assert scene.bound(held) == "ixgbe"


async def test_a_kubelet_that_restarts_counts_the_same_and_frees_nothing(
    scene: Scene, person: Person, kubelet: SimulatedKubelet
) -> None:
    async with scene.agent():
        person.claim(NIC)
        await until(lambda: counts(kubelet, NICS) == (1, 1))
        await kubelet.admit("vm", {NICS: 1})
        person.delete(NIC)
        await person.told(NIC, "DeviceInUse")

        await kubelet.restart(blind_for=None)
        await until(lambda: "the kubelet does not" in person.message(NIC))
        assert scene.bound(NIC) == "vfio-pci"
        kubelet.sees_pods()
        await until(lambda: "pod default/vm" in person.message(NIC))
        assert scene.bound(NIC) == "vfio-pci"


async def test_an_agent_that_restarts_offers_the_same_again(
    scene: Scene, person: Person, kubelet: SimulatedKubelet
) -> None:
    async with scene.agent():
        person.claim(NIC)
        await until(lambda: counts(kubelet, NICS) == (1, 1))
    await until(lambda: counts(kubelet, NICS)[1] == 0)

    async with scene.agent():
        await until(lambda: counts(kubelet, NICS) == (1, 1))


async def test_an_agent_that_starts_offers_what_a_pod_holds_although_nobody_claims_it_any_more(
    scene: Scene, person: Person, kubelet: SimulatedKubelet
) -> None:
    """From the first: the kubelet takes what is not listed for free."""
    async with scene.agent():
        person.claim(NIC)
        person.claim(TWIN)
        await until(lambda: counts(kubelet, NICS) == (2, 2))
        given = await kubelet.admit("vm", {NICS: 1})
    (held,) = given.env.values()
    person.delete(held)
    scene.server.patch(CLAIMS, person.name(held), {"metadata": {"finalizers": None}})

    async with scene.agent(ask_every=600):
        await until(lambda: counts(kubelet, NICS) == (2, 1))


async def test_who_has_a_device_is_told_on_it(scene: Scene, person: Person, kubelet: SimulatedKubelet) -> None:
    async with scene.agent(ask_every=0.2):
        person.claim(NIC)
        await until(lambda: counts(kubelet, NICS) == (1, 1))
        await kubelet.admit("vm", {NICS: 1})

        await until(lambda: (scene.device(NIC) or {})["status"].get("inUseBy") == ["default/vm"])


async def test_what_cannot_be_bound_is_not_offered(scene: Scene, person: Person, kubelet: SimulatedKubelet) -> None:
    async with scene.agent():
        person.claim(GPU)
        person.claim(DISK)
        await until(lambda: person.reason(GPU) == "GroupNotViable" and person.reason(DISK) == "DeviceProtected")
        await until(lambda: counts(kubelet, CARD) == (1, 0))


def _group(scene: Scene, address: str) -> str:
    return (scene.path(address) / "iommu_group").readlink().name
