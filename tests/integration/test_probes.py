"""What Kubernetes is told of a whole agent, between a simulated node and an embedded API server."""

from __future__ import annotations

import os

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from anyio import create_task_group, to_thread

from pcidevices.adapters.http.server import HttpServer, bound
from pcidevices.sim.node import builtin_pci_ids, load_spec
from tests.support.agent import CLAIMS, Scene, a_scene, until


NIC, TWIN = "0000:01:00.0", "0000:01:01.0"
SPEC = f"""
kernel: "6.12"
iommu: on
modules:
  vfio-pci: loadable
devices:
  {NIC}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: ens1}}}}
  {TWIN}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: ens2}}}}
"""
OF_A_NEW_MODEL = '  0000:02:00.0: {id: "10de:1c02", class: 0300, driver: nouveau}'
CLAIM = {
    "apiVersion": "devices.harvesterhci.io/v1beta1",
    "kind": "PCIDeviceClaim",
    "metadata": {"name": "janus-000001000"},
    "spec": {"address": NIC, "nodeName": "janus", "userName": "alice"},
}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with a_scene(tmp_path, SPEC) as scene:
        scene.server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "janus"}})
        yield scene


@pytest.fixture
async def http() -> AsyncIterator[HttpServer]:
    async with bound("127.0.0.1", 0) as server:
        yield server


class Probes:
    """The kubelet: it asks again and again, and notes what it is told."""

    def __init__(self, http: HttpServer) -> None:
        self._http = http
        self.told: set[tuple[str, int]] = set()

    async def ask(self, path: str) -> tuple[int, str]:
        async with aiohttp.request("GET", f"http://{self._http.address}{path}") as response:
            self.told.add((path, response.status))
            return response.status, await response.text()

    async def run(self) -> None:
        while True:
            await self.ask("/healthz")
            await self.ask("/readyz")


def reason(scene: Scene) -> str | None:
    """Why the claim is as it is; nothing when it is gone."""
    conditions = [it for claim in scene.server.list(CLAIMS) for it in claim.get("status", {}).get("conditions", ())]
    return next((it["reason"] for it in conditions if it["type"] == "Ready"), None)


async def test_an_agent_whose_unbind_hangs_is_well(scene: Scene, http: HttpServer) -> None:
    """To start it anew would end nothing: the write is in the kernel."""
    probes = Probes(http)
    async with scene.agent(http=http, patience=0.2), create_task_group() as tg:
        scene.server.apply(CLAIM)
        await until(lambda: reason(scene) == "Ready")
        scene.node.hold(NIC)
        (scene.node.sysfs / "bus/pci/devices" / NIC / "enable").unlink()  # no sign tells of the holder
        tg.start_soon(probes.run)
        scene.server.delete(CLAIMS, "janus-000001000")
        await until(lambda: reason(scene) in {"WriteTimedOut", "DeviceInUse"})
        probes.told.clear()
        await until(lambda: len(probes.told) > 1)
        scene.node.release(NIC)
        await until(lambda: not scene.server.list(CLAIMS))
        tg.cancel_scope.cancel()

    assert probes.told == {("/healthz", 200), ("/readyz", 200)}


async def test_an_agent_without_an_api_server_is_well(scene: Scene, http: HttpServer) -> None:
    """To start it anew would bring no server back, and lose what it knows."""
    probes = Probes(http)
    async with scene.agent(http=http), create_task_group() as tg:
        asked = scene.server.requests.total()
        scene.server.faults.refuse(10**6, 503)
        scene.server.faults.cut_watches("end")
        tg.start_soon(probes.run)
        await until(lambda: scene.server.requests.total() > asked + 3 and len(probes.told) > 1, within=60)
        tg.cancel_scope.cancel()

    assert probes.told == {("/healthz", 200), ("/readyz", 200)}


async def test_an_agent_whose_scan_hangs_is_ill_until_it_returns(scene: Scene, http: HttpServer) -> None:
    """A blind agent is worse than none; here it hangs on a file of names, which a new model makes it read."""
    probes = Probes(http)
    names = builtin_pci_ids().read_text()
    file = scene.folder / "pci.ids"
    file.write_text(names)
    async with scene.agent(http=http, pci_ids=file, longest_scan=0.3):
        file.unlink()
        os.mkfifo(file)
        scene.node.reload(load_spec(SPEC + OF_A_NEW_MODEL))
        while (answer := await probes.ask("/healthz"))[0] == 200:
            pass
        assert "[-]hardware failed: the end of a scan is " in answer[1]

        await to_thread.run_sync(file.write_text, names)
        while (await probes.ask("/healthz"))[0] != 200:
            pass


async def test_an_agent_that_has_not_seen_the_cluster_is_alive_and_not_ready(scene: Scene, http: HttpServer) -> None:
    probes = Probes(http)
    scene.server.faults.refuse(10**6, 503)
    async with create_task_group() as tg:

        async def agent() -> None:
            async with scene.agent(http=http):
                pass

        tg.start_soon(agent)
        while "[+]hardware ok" not in (answer := await probes.ask("/readyz"))[1]:
            pass
        assert answer[0] == 503
        assert "[-]claims failed: not listed yet" in answer[1]
        assert (await probes.ask("/healthz"))[0] == 200
        tg.cancel_scope.cancel()
