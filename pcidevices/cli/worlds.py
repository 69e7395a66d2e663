"""What an agent runs between: a real node or a simulated one, and the cluster."""

from __future__ import annotations

import argparse
import time

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from pcidevices import __version__
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
from pcidevices.adapters.sysfs.hardware import LONGEST_BURST, QUIET, SysfsHardware
from pcidevices.adapters.sysfs.modules import KernelModules, Modules
from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.adapters.sysfs.uevents import Uevents
from pcidevices.adapters.sysfs.vfionodes import VfioNodes
from pcidevices.adapters.sysfs.writers import ReadAndWrite, in_processes, in_threads
from pcidevices.app import World
from pcidevices.domain.address import PciAddress
from pcidevices.domain.inventory import Policy
from pcidevices.feeds import CLAIMS, FEEDS, HARDWARE, HELD, NODE, PCIDEVICES
from pcidevices.ports import HintSource, Http, Kubelet
from pcidevices.runtime.bell import Bell
from pcidevices.runtime.debounce import Debounce
from pcidevices.runtime.pulse import Pulse
from pcidevices.runtime.tokenbucket import TokenBucket

from .list import pci_ids_of


log = structlog.get_logger()


@asynccontextmanager
async def real_world(settings: argparse.Namespace) -> AsyncIterator[tuple[World, Policy]]:
    """This node's hardware, and the cluster."""
    async with in_processes() as kernel:
        node = _Node(
            sysfs=settings.sysfs,
            proc=settings.proc,
            dev=settings.dev,
            udev=settings.udev,
            pci_ids=pci_ids_of(settings),
            hint_sources=(Uevents(clock=time.monotonic), VfioNodes(settings.dev)),
            kernel=kernel,
            modules=KernelModules(settings.modules),
            kubelet=LocalKubelet(settings.kubelet_dir),
        )
        async with _world(settings, node) as world:
            yield world, Policy(bridges=settings.bridges, node_grace=settings.node_grace)


@asynccontextmanager
async def simulated_world(
    settings: argparse.Namespace, *, patch_node: Callable[[Mapping[str, Any]], object] | None = None
) -> AsyncIterator[tuple[World, Policy]]:
    """A simulated node's hardware and kubelet, and the cluster; *patch_node* gets what the kubelet reports."""
    from .simulation import SimulatedModules, simulated_kubelet, simulated_node  # noqa: PLC0415  real nodes need none

    async with AsyncExitStack() as stack:
        simulation = stack.enter_context(simulated_node(settings.simulate, pci_ids=settings.pci_ids))
        log.warning("node.simulated", node=settings.node_name, folder=str(simulation.sysfs), devices_are="not real")
        simulated = simulation.node
        if "kubelet_dir" in getattr(settings, "given", ()):  # a real one, to be told of devices that are not
            kubelet = settings.kubelet_dir
        else:
            kubelet = simulated.proc.parent / "kubelet"
            await stack.enter_async_context(simulated_kubelet(kubelet, patch_node))
        node = _Node(
            sysfs=simulated.sysfs,
            proc=simulated.proc,
            dev=simulated.dev,
            udev=simulated.proc.parent / "udev",
            pci_ids=simulation.pci_ids,
            hint_sources=(simulation,),
            kernel=in_threads(simulated.write),
            modules=SimulatedModules(simulated.load_module),
            kubelet=LocalKubelet(kubelet),
        )
        world = await stack.enter_async_context(_world(settings, node))
        yield world, Policy(simulated=True, bridges=settings.bridges)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """Where a node's trees are, and what acts on them."""

    sysfs: Path
    proc: Path
    dev: Path
    udev: Path
    pci_ids: PciIds
    hint_sources: Sequence[HintSource]
    kernel: ReadAndWrite
    modules: Modules
    kubelet: Kubelet


@asynccontextmanager
async def _world(settings: argparse.Namespace, node: _Node) -> AsyncIterator[World]:
    hints = Debounce(quiet=QUIET, limit=LONGEST_BURST)
    pulses = {feed: Pulse() for feed in (*FEEDS, HELD)}
    returned: Bell[PciAddress] = Bell()
    returned.call(lambda _: hints.hint("late answer"))
    async with AsyncExitStack() as stack:
        # First, so that what is wrong with it is told before anything else is done.
        http = await stack.enter_async_context(_http(settings))
        control = SysfsControl(
            sysfs=node.sysfs,
            proc=node.proc,
            dev=node.dev,
            udev=node.udev,
            kernel=node.kernel,
            modules=node.modules,
            on_return=returned.ring,
        )
        yield World(
            hardware=SysfsHardware(
                node.sysfs,
                pci_ids=node.pci_ids,
                hints=hints,
                resync=settings.resync,
                modules=node.modules,
                pulse=pulses[HARDWARE],
            ),
            hint=hints.hint,
            hint_sources=node.hint_sources,
            returned=returned,
            control=await stack.enter_async_context(control),
            kubelet=node.kubelet,
            http=http,
            pulses=pulses,
            **await stack.enter_async_context(_cluster(settings, pulses)),
        )


@asynccontextmanager
async def _cluster(settings: argparse.Namespace, pulses: Mapping[str, Pulse]) -> AsyncIterator[dict[str, Any]]:
    """The ports of a `World` that lead to the API server."""
    name = settings.node_name
    credentials = Credentials(settings.kubeconfig, settings.context)
    bucket = TokenBucket(rate=settings.api_rate, burst=settings.api_burst)
    user_agent = f"pcidevices/{__version__} ({name})"
    async with KubeClient.connected(credentials, bucket=bucket, user_agent=user_agent) as client:
        log.info("apiserver.chosen", server=client.server)
        yield {
            "devices": KubeDevices(client, name, pulse=pulses[PCIDEVICES]),
            "claims": KubeClaims(client, name, pulse=pulses[CLAIMS]),
            "nodes": KubeNodes(client, name, pulse=pulses[NODE]),
            "events": KubeEvents(client, name),
            "cluster_claims": KubeClusterClaims(client),
            "leases": KubeLeases(client, settings.namespace),
            "kubevirts": KubeKubeVirts(client, settings.kubevirt),
        }


@asynccontextmanager
async def _http(settings: argparse.Namespace) -> AsyncIterator[Http | None]:
    if settings.http is None:
        yield None
        return
    from pcidevices.adapters.http.server import bound  # noqa: PLC0415  a server's libraries, for those who want one

    async with bound(*settings.http) as http:
        yield http
