"""A node, a kubelet, KubeVirt and an agent between them, for a person who asks what is wrong with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio import TASK_STATUS_IGNORED, CancelScope, Event, create_task_group, sleep_forever, to_thread
from anyio.abc import TaskGroup, TaskStatus

from pcidevices.domain.diagnosis import Diagnosis
from pcidevices.kubectl.doctor import diagnosed
from pcidevices.kubectl.transport import Kubectl
from pcidevices.sim.kubelet import SimulatedKubelet, report
from tests.contract.apiserver.kubectl import find_kubectl
from tests.support.agent import Object, a_scene, until
from tests.support.person import Person


NODE = "janus"
KUBEVIRTS = "kubevirts.kubevirt.io"
_PROGRAM = find_kubectl() or "kubectl"
_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _definition(plural: str, singular: str, kind: str) -> Object:
    schema = {"type": "object", "properties": {"spec": _OPEN, "status": _OPEN}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.kubevirt.io"},
        "spec": {
            "group": "kubevirt.io",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": singular, "kind": kind},
            "versions": [version],
        },
    }


DEFINITIONS: tuple[Object, ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubevirt"}},
    _definition("kubevirts", "kubevirt", "KubeVirt"),
    _definition("virtualmachines", "virtualmachine", "VirtualMachine"),
)
KUBEVIRT: Object = {  # without a list, which allows everything
    "apiVersion": "kubevirt.io/v1",
    "kind": "KubeVirt",
    "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
    "spec": {"configuration": {"developerConfiguration": {"featureGates": ["HostDevices"]}}},
}


@dataclass
class Ward(Person):
    """All of it, and what a person may do to it."""

    kubelet: SimulatedKubelet
    tasks: TaskGroup
    """Ended with the ward."""
    reporting: CancelScope = field(default_factory=CancelScope)
    agent: CancelScope = field(default_factory=CancelScope)
    agent_ended: Event = field(default_factory=Event)

    async def run_agent(self, patience: float, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        with self.agent:
            async with self.scene.agent(patience=patience):
                await until(lambda: self.scene.published() > 0)
                task_status.started()
                await sleep_forever()
        self.agent_ended.set()

    async def report(self) -> None:
        """Tell the Node what the kubelet counts, until somebody cancels that."""
        with self.reporting:
            await report(self.kubelet, lambda change: self.scene.server.patch("nodes", NODE, change), every=0.02)

    async def make_ready(self, address: str) -> None:
        """Claim it, and wait until the Node has it to give away."""
        self.claim(address)
        await self.told(address, "Ready")
        await until(lambda: self.allocatable(address) > 0)
        await until(lambda: self.scene.driver(address) == "vfio-pci")

    async def make_permitted(self, address: str) -> None:
        """The same, and KubeVirt's list has it."""
        await self.make_ready(address)
        await until(self.permitted)

    def resource(self, address: str) -> str:
        return str((self.scene.device(address) or {"status": {}})["status"].get("resourceName"))

    def allocatable(self, address: str) -> int:
        node = self.scene.server.get("nodes", NODE)
        return int(node.get("status", {}).get("allocatable", {}).get(self.resource(address), 0))

    def permit(self, **changed: Any) -> None:
        """Somebody edits KubeVirt's configuration."""
        self.scene.server.patch(KUBEVIRTS, "kubevirt", {"spec": {"configuration": changed}}, "kubevirt")

    def permitted(self) -> list[Object]:
        configuration = self.scene.server.get(KUBEVIRTS, "kubevirt", "kubevirt")["spec"]["configuration"]
        return list(configuration.get("permittedHostDevices", {}).get("pciHostDevices", ()))

    async def asked(self, *words: str, patience: float = 5) -> Diagnosis:
        """What `kubectl pci doctor` finds."""
        ((_, found),) = await to_thread.run_sync(lambda: diagnosed(words, self.kubectl, patience))
        return found

    @property
    def kubectl(self) -> Kubectl:
        """The real one, which keeps nothing but in this ward's folder."""
        folder = self.scene.folder
        return Kubectl((f"--kubeconfig={folder / 'kubeconfig'}", f"--cache-dir={folder / 'cache'}"), _PROGRAM)

    async def stop_agent(self) -> None:
        self.agent.cancel()
        await self.agent_ended.wait()


@asynccontextmanager
async def a_ward(folder: Path, spec: str, *, kubevirt: bool = True, patience: float = 5) -> AsyncIterator[Ward]:
    """Everything runs and is well, and nothing is claimed."""
    async with a_scene(folder, spec) as scene, SimulatedKubelet(scene.kubelet_folder) as kubelet:
        scene.join()
        if kubevirt:
            for object_ in (*DEFINITIONS, KUBEVIRT):
                scene.server.apply(object_)
        async with create_task_group() as tasks:
            ward = Ward(scene, kubelet, tasks)
            tasks.start_soon(ward.report)
            await tasks.start(ward.run_agent, patience)
            yield ward
            tasks.cancel_scope.cancel()
