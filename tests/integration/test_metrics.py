"""What Prometheus reads of a whole agent, between a simulated node and an embedded API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from prometheus_client.parser import text_string_to_metric_families

from pcidevices.adapters.http.server import HttpServer, bound
from pcidevices.adapters.kubelet.local import LocalKubelet
from pcidevices.metrics import REGISTRY
from pcidevices.sim.kubelet import SimulatedKubelet
from tests.support.agent import CLAIMS, Scene, a_scene, until


NIC = "0000:01:00.0"
RESOURCE = "intel.com/82599ES_10GIGABIT_SFI_SFP_NETWORK_CONNECTION"
SPEC = f"""
kernel: "6.12"
iommu: on
modules:
  vfio-pci: loadable
devices:
  0000:00:1c.0: {{id: "8086:a190", class: 0604, bridge: {{buses: "02"}}}}
  {NIC}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: ens1}}}}
"""
CLAIM = {
    "apiVersion": "devices.harvesterhci.io/v1beta1",
    "kind": "PCIDeviceClaim",
    "metadata": {"name": "janus-000001000"},
    "spec": {"address": NIC, "nodeName": "janus", "userName": "alice"},
}

Figures = Mapping[tuple[str, ...], float]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with a_scene(tmp_path, SPEC) as scene:
        scene.server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "janus"}})
        yield scene


@pytest.fixture
async def http() -> AsyncIterator[HttpServer]:
    async with bound("127.0.0.1", 0) as server:
        yield server


@pytest.fixture
async def kubelet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalKubelet]:
    async with SimulatedKubelet(tmp_path_factory.mktemp("k")) as kubelet:
        yield LocalKubelet(kubelet.device_plugins.parent)


async def scraped(http: HttpServer) -> Figures:
    """All samples, by name (without our prefix) and the values of their labels in order of these."""
    async with aiohttp.request("GET", f"http://{http.address}/metrics") as response:
        text = await response.text()
    return {
        (sample.name.removeprefix("pcidevices_"), *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def difference(before: Figures, after: Figures, *key: str) -> float:
    """Counters are of the process, in which other tests ran."""
    return after.get(key, 0) - before.get(key, 0)


def claim_is(scene: Scene, reason: str) -> bool:
    conditions = [it for claim in scene.server.list(CLAIMS) for it in claim.get("status", {}).get("conditions", ())]
    return any(it["type"] == "Ready" and it["reason"] == reason for it in conditions)


async def test_the_life_of_a_claim_can_be_followed(scene: Scene, http: HttpServer, kubelet: LocalKubelet) -> None:
    async with scene.agent(http=http, kubelet=kubelet):
        await until(lambda: scene.published() == 1)
        before = await scraped(http)
        scene.server.apply(CLAIM)
        await until(lambda: claim_is(scene, "Ready"))
        while (ready := await scraped(http)).get(("plugin_registered", RESOURCE)) != 1:
            pass
        scene.server.delete(CLAIMS, "janus-000001000")
        await until(lambda: not scene.server.list(CLAIMS))
        while (after := await scraped(http))["devices", "vfio"] != 0:
            pass

    assert (before["devices", "host"], before["devices", "bridge"], before["devices", "vfio"]) == (1, 1, 0)
    assert (ready["claims", "Ready"], ready["devices", "vfio"], ready["offered_devices", "healthy", RESOURCE]) == (
        1,
        1,
        1,
    )
    assert (after["claims", "Ready"], after["devices", "host"]) == (0, 1)
    assert difference(before, ready, "kubelet_registrations_total", "registered") == 1
    assert difference(before, after, "sysfs_write_duration_seconds_count", "done", "Unbind") == 2
    assert difference(before, after, "api_requests_total", "200", "PATCH") >= 4
    assert difference(before, after, "reconciles_total", "claims", "changed", "") >= 2
    assert difference(before, after, "scan_duration_seconds_count") >= 2


async def test_a_write_that_hangs_is_told_by_its_device_until_it_returns(scene: Scene, http: HttpServer) -> None:
    async with scene.agent(http=http, patience=0.2):
        scene.server.apply(CLAIM)
        await until(lambda: claim_is(scene, "Ready"))
        scene.node.hold(NIC)
        (scene.node.sysfs / "bus/pci/devices" / NIC / "enable").unlink()  # no sign tells of the holder
        scene.server.delete(CLAIMS, "janus-000001000")
        while ("hung_writes", NIC) not in (hung := await scraped(http)):
            pass
        assert hung["hung_writes", NIC] == 1
        assert hung["claims_deleting",] == 1

        scene.node.release(NIC)
        while ("hung_writes", NIC) in await scraped(http):
            pass


async def test_an_api_server_that_is_away_shows_in_what_is_asked_of_it(scene: Scene, http: HttpServer) -> None:
    async with scene.agent(http=http):
        await until(lambda: scene.published() == 1)
        before = await scraped(http)
        scene.server.faults.refuse(10**6, 503)
        scene.server.faults.cut_watches("end")

        # With an end as servers end it, and then with what refuses the next one.
        while not difference(before, after := await scraped(http), "watch_restarts_total", "Unavailable", "pcidevices"):
            pass
    assert difference(before, after, "api_requests_total", "503", "WATCH") >= 1


async def test_what_an_agent_said_ends_with_it(scene: Scene, http: HttpServer) -> None:
    """The next one in the same process, as in tests, is not mixed up with it."""
    async with scene.agent(http=http):
        assert REGISTRY.get_sample_value("pcidevices_devices", {"state": "host"}) is not None

    assert REGISTRY.get_sample_value("pcidevices_devices", {"state": "host"}) is None
