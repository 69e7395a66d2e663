"""The whole agent between a simulated node and an embedded API server, in this process."""

from __future__ import annotations

import json

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio import create_task_group, sleep, to_thread

from pcidevices.adapters.kube.claims import KubeClaims
from pcidevices.adapters.kube.client import KubeClient
from pcidevices.adapters.kube.clusterclaims import KubeClusterClaims
from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.adapters.kube.devices import KubeDevices
from pcidevices.adapters.kube.events import KubeEvents
from pcidevices.adapters.kube.kubevirt import KubeKubeVirts
from pcidevices.adapters.kube.leases import KubeLeases
from pcidevices.adapters.kube.nodes import KubeNodes
from pcidevices.adapters.kubelet.local import LocalKubelet
from pcidevices.adapters.sysfs.control import SysfsControl
from pcidevices.adapters.sysfs.hardware import LONGEST_SCAN, SysfsHardware
from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.adapters.sysfs.writers import in_threads
from pcidevices.api.crd import definitions
from pcidevices.app import World, run
from pcidevices.cli.simulation import SimulatedModules, Simulation
from pcidevices.controllers.plugins import ASK_EVERY
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import Scan
from pcidevices.domain.inventory import Policy
from pcidevices.feeds import CLAIMS as CLAIMS_FEED
from pcidevices.feeds import FEEDS, HARDWARE, HELD, NODE, PCIDEVICES
from pcidevices.ports import Http
from pcidevices.runtime.bell import Bell
from pcidevices.runtime.debounce import Debounce
from pcidevices.runtime.pulse import Pulse
from pcidevices.runtime.tokenbucket import TokenBucket
from pcidevices.sim.apiserver import ApiServer
from pcidevices.sim.node import NodeSpec, SimulatedNode, builtin_pci_ids, load_spec
from tests.support.waiting import wait_until


KIND = "pcidevices.devices.harvesterhci.io"
CLAIMS = "pcideviceclaims.devices.harvesterhci.io"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})

Object = dict[str, Any]

until = wait_until
"""As those who have a scene call it."""


class CountingHardware(SysfsHardware):
    """Counts its looks."""

    looks = 0

    async def scans(self) -> AsyncIterator[Scan]:
        async for scan in super().scans():
            self.looks += 1
            yield scan


@dataclass
class Scene:
    """A node, a cluster, and agents between them."""

    folder: Path
    node: SimulatedNode
    server: ApiServer
    spec: NodeSpec
    node_name: str = "janus"
    hardware: list[CountingHardware] = field(default_factory=list)

    @asynccontextmanager
    async def agent(
        self,
        *,
        policy: Policy = Policy(),  # noqa: B008  a value
        pci_ids: Path | None = None,
        node: SimulatedNode | None = None,
        patience: float = 5,
        ask_every: float = ASK_EVERY,
        http: Http | None = None,
        longest_scan: float = LONGEST_SCAN,
    ) -> AsyncIterator[None]:
        """An agent, synced, for the length of the block. Its kubelet is whoever has the folder `kubelet_folder`."""
        async with AsyncExitStack() as stack:
            kubeconfig = self.folder / "kubeconfig"
            kubeconfig.write_text(json.dumps(self.server.kubeconfig()))
            client = await stack.enter_async_context(
                KubeClient.connected(
                    Credentials(str(kubeconfig)),
                    bucket=TokenBucket(rate=1000, burst=1000),
                    user_agent="pcidevices/test",
                )
            )
            here = node or self.node
            modules = SimulatedModules(here.load_module)
            ids, hints = PciIds(pci_ids or builtin_pci_ids()), Debounce(quiet=0.05, limit=1)
            returned: Bell[PciAddress] = Bell()
            returned.call(lambda _: hints.hint("late answer"))
            pulses = {feed: Pulse() for feed in (*FEEDS, HELD)}
            hardware = CountingHardware(
                here.sysfs,
                pci_ids=ids,
                hints=hints,
                resync=600,
                modules=modules,
                pulse=pulses[HARDWARE],
                longest_scan=longest_scan,
            )
            self.hardware.append(hardware)
            control = SysfsControl(
                sysfs=here.sysfs,
                proc=here.proc,
                dev=here.dev,
                udev=here.proc.parent / "udev",
                kernel=in_threads(here.write),
                modules=modules,
                on_return=returned.ring,
                patience=patience,
            )
            world = World(
                hardware=hardware,
                hint=hints.hint,
                returned=returned,
                hint_sources=(Simulation(here, None, ids),),
                control=await stack.enter_async_context(control),
                devices=KubeDevices(client, self.node_name, pulse=pulses[PCIDEVICES]),
                claims=KubeClaims(client, self.node_name, pulse=pulses[CLAIMS_FEED]),
                nodes=KubeNodes(client, self.node_name, pulse=pulses[NODE]),
                events=KubeEvents(client, self.node_name),
                cluster_claims=KubeClusterClaims(client),
                leases=KubeLeases(client, "default"),
                kubevirts=KubeKubeVirts(client),
                kubelet=LocalKubelet(self.kubelet_folder),
                ask_every=ask_every,
                http=http,
                pulses=pulses,
            )
            async with create_task_group() as tg:
                await tg.start(run, self.node_name, policy, world)
                yield
                tg.cancel_scope.cancel()

    @property
    def kubelet_folder(self) -> Path:
        return self.folder / "kubelet"

    def join(self) -> None:
        """The Node comes to be."""
        self.server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node_name}})

    def name(self, address: str) -> str:
        """Of the objects for a device."""
        return f"{self.node_name}-{address.replace(':', '').replace('.', '')}"

    def path(self, address: str) -> Path:
        return self.node.sysfs / "bus/pci/devices" / address

    def bound(self, address: str) -> str | None:
        """The driver that has the device, as the kernel shows it."""
        link = self.path(address) / "driver"
        return link.readlink().name if link.is_symlink() else None

    def override(self, address: str) -> str:
        return (self.path(address) / "driver_override").read_text().strip()

    def hold_unseen(self, address: str) -> None:
        """A virtual machine has the device open, and no sign tells of it."""
        self.node.hold(address)
        (self.path(address) / "enable").unlink()

    def device(self, address: str) -> Object | None:
        """The PCIDevice of one address, if there is one with a status."""
        name = self.name(address)
        found = [device for device in self.server.list(KIND) if device["metadata"]["name"] == name]
        return found[0] if found and "conditions" in found[0].get("status", {}) else None

    def driver(self, address: str) -> str | None:
        """The driver that has the device, as its PCIDevice says."""
        device = self.device(address)
        return device["status"].get("kernelDriverInUse") if device else None

    def published(self) -> int:
        return sum("conditions" in device.get("status", {}) for device in self.server.list(KIND))

    @property
    def writes(self) -> int:
        return sum(count for asked, count in self.server.requests.items() if asked.verb in WRITES)

    async def settled(self) -> None:
        """Wait until nothing has been written for a while."""
        before = -1
        while (now := self.writes) != before:
            before = now
            await sleep(0.3)  # waits: for an absence, which nobody announces


@asynccontextmanager
async def a_scene(folder: Path, spec: str) -> AsyncIterator[Scene]:
    """A simulated node and an embedded API server, without an agent yet."""
    (folder / "node").mkdir()
    described = load_spec(spec)
    # In a thread: on the loop, each of thousands of files would be looked at by who watches for blocking calls.
    node = await to_thread.run_sync(SimulatedNode, folder / "node", described)
    server = ApiServer(definitions())
    async with server.serving():
        yield Scene(folder, node, server, described)
    node.close()
