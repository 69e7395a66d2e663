from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pcidevices.sim.kubelet import Dialling, Rejected, SimulatedKubelet
from tests.contract.kubelet.world import SeenPod


_DIALLING = Dialling(patience=0.5, retry_every=0.05)


class SimulatedWorld:
    """The simulated kubelet, in a hurry."""

    patience = _DIALLING.patience

    def __init__(self, folder: Path) -> None:
        self.simulated = SimulatedKubelet(folder, dialling=_DIALLING)
        self.device_plugins = self.simulated.device_plugins
        self.pod_resources = self.simulated.pod_resources

    async def pod(self, name: str, resource: str, count: int) -> SeenPod:
        try:
            given = await self.simulated.admit(name, {resource: count})
        except Rejected as rejected:
            return SeenPod("Failed", rejected.reason, str(rejected), frozenset(), frozenset())
        ids = given.env.get("GIVEN", "").split(",")
        nodes = {(node.host_path, node.container_path, node.permissions) for node in given.nodes}
        return SeenPod("Running", "", "", frozenset(filter(None, ids)), frozenset(nodes))

    async def remove(self, name: str) -> None:
        with suppress(KeyError):  # one that has failed is none of the kubelet's
            self.simulated.remove(name)

    async def counts(self, resource: str) -> tuple[int, int] | None:
        return self.simulated.status().get(resource)

    async def restart(self, *, with_api: bool = True) -> None:
        await self.simulated.restart(blind_for=0.0 if with_api else None)

    async def api_comes_back(self) -> None:
        self.simulated.sees_pods()
