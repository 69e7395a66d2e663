"""What Kubernetes is told of a whole agent, between a simulated node and an embedded API server."""

from __future__ import annotations

import os

import aiohttp

from anyio import create_task_group, to_thread

from pcidevices.adapters.http.server import HttpServer
from pcidevices.sim.node import builtin_pci_ids, load_spec
from tests.support.agent import Scene, until
from tests.support.machine import NIC, SPEC
from tests.support.person import Person
from tests.support.waiting import answered


OF_A_NEW_MODEL = '  0000:07:00.0: {id: "10de:1c03", class: 0300, driver: nouveau}'


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


async def test_an_agent_whose_unbind_hangs_is_well(scene: Scene, person: Person, http: HttpServer) -> None:
    """To start it anew would end nothing: the write is in the kernel."""
    probes = Probes(http)
    async with scene.agent(http=http, patience=0.2), create_task_group() as tg:
        person.claim(NIC)
        await until(lambda: person.ready(NIC))
        scene.hold_unseen(NIC)
        tg.start_soon(probes.run)
        person.delete(NIC)
        await person.told(NIC, "WriteTimedOut", "DeviceInUse")
        probes.told.clear()
        await until(lambda: len(probes.told) > 1)
        scene.node.release(NIC)
        await until(lambda: person.gone(NIC))
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
        _, text = await answered(lambda: probes.ask("/healthz"), lambda answer: answer[0] != 200)
        assert "[-]hardware failed: the end of a scan is " in text

        await to_thread.run_sync(file.write_text, names)
        await answered(lambda: probes.ask("/healthz"), lambda answer: answer[0] == 200)


async def test_an_agent_that_has_not_seen_the_cluster_is_alive_and_not_ready(scene: Scene, http: HttpServer) -> None:
    probes = Probes(http)
    scene.server.faults.refuse(10**6, 503)
    async with create_task_group() as tg:

        async def agent() -> None:
            async with scene.agent(http=http):
                pass

        tg.start_soon(agent)
        status, text = await answered(lambda: probes.ask("/readyz"), lambda answer: "[+]hardware ok" in answer[1])
        assert status == 503
        assert "[-]claims failed: not listed yet" in text
        assert (await probes.ask("/healthz"))[0] == 200
        tg.cancel_scope.cancel()
