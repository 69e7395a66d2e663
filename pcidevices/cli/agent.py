"""``pcidevices agent``: build the adapters, run the agent, end in good order."""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import structlog

from anyio import TASK_STATUS_IGNORED, CancelScope, create_task_group, open_signal_receiver
from anyio.abc import TaskStatus

from pcidevices import __version__, logs
from pcidevices.adapters.kube.claims import KubeClaims
from pcidevices.adapters.kube.client import KubeClient
from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.adapters.kube.devices import KubeDevices
from pcidevices.adapters.kube.nodes import KubeNodes
from pcidevices.adapters.sysfs.hardware import LONGEST_BURST, QUIET, SysfsHardware
from pcidevices.adapters.sysfs.uevents import Uevents
from pcidevices.adapters.sysfs.vfionodes import VfioNodes
from pcidevices.app import World
from pcidevices.app import run as run_agent
from pcidevices.domain.inventory import Policy
from pcidevices.errors import ConfigError, HardwareError
from pcidevices.runtime.debounce import Debounce
from pcidevices.runtime.supervise import causes
from pcidevices.runtime.tokenbucket import TokenBucket
from pcidevices.settings import existing_folder, own_node_name

from .list import pci_ids_of


log = structlog.get_logger()

_PATIENCE = 5.0
"""Seconds from a signal to the end, come what may."""


def run(settings: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    logs.configure(settings.log_level, settings.log_format)
    if settings.simulate is not None and "sysfs" in settings.given:
        raise ConfigError("--simulate and --sysfs exclude each other: a simulated node has a sysfs of its own")
    settings.node_name = settings.node_name or own_node_name()
    if settings.simulate is None:
        existing_folder(settings, "sysfs")
    try:
        anyio.run(_until_signalled, settings)
    except ExceptionGroup as group:
        for cause in causes(group):
            if isinstance(cause, ConfigError | HardwareError):
                raise cause from None
        raise
    return 0


async def _until_signalled(settings: argparse.Namespace) -> None:
    async with create_task_group() as tg:
        await tg.start(stopped_by_signals, tg.cancel_scope)
        async with real_world(settings) if settings.simulate is None else simulated_world(settings) as (world, policy):
            log.info("agent.started", version=__version__, node=settings.node_name)
            await run_agent(settings.node_name, policy, world)
    log.info("agent.stopped")


@asynccontextmanager
async def real_world(settings: argparse.Namespace) -> AsyncIterator[tuple[World, Policy]]:
    """This node's hardware, and the cluster."""
    hints = Debounce(quiet=QUIET, limit=LONGEST_BURST)
    hardware = SysfsHardware(settings.sysfs, pci_ids=pci_ids_of(settings), hints=hints, resync=settings.resync)
    sources = (Uevents(clock=time.monotonic), VfioNodes(settings.dev))
    async with _cluster(settings) as (devices, claims, nodes):
        world = World(
            hardware=hardware, hint=hints.hint, hint_sources=sources, devices=devices, claims=claims, nodes=nodes
        )
        yield world, Policy(bridges=settings.bridges)


@asynccontextmanager
async def simulated_world(settings: argparse.Namespace) -> AsyncIterator[tuple[World, Policy]]:
    """A simulated node's hardware, and the cluster."""
    from .simulation import simulated_node  # noqa: PLC0415  no real node needs a simulator in its memory

    async with AsyncExitStack() as stack:
        node = stack.enter_context(simulated_node(settings.simulate, pci_ids=settings.pci_ids))
        devices, claims, nodes = await stack.enter_async_context(_cluster(settings))
        hints = Debounce(quiet=QUIET, limit=LONGEST_BURST)
        hardware = SysfsHardware(node.sysfs, pci_ids=node.pci_ids, hints=hints, resync=settings.resync)
        log.warning("node.simulated", node=settings.node_name, folder=str(node.sysfs), devices_are="not real")
        world = World(
            hardware=hardware, hint=hints.hint, hint_sources=(node,), devices=devices, claims=claims, nodes=nodes
        )
        yield world, Policy(simulated=True, bridges=settings.bridges)


@asynccontextmanager
async def _cluster(settings: argparse.Namespace) -> AsyncIterator[tuple[KubeDevices, KubeClaims, KubeNodes]]:
    name = settings.node_name
    credentials = Credentials(settings.kubeconfig, settings.context)
    bucket = TokenBucket(rate=settings.api_rate, burst=settings.api_burst)
    user_agent = f"pcidevices/{__version__} ({name})"
    async with KubeClient.connected(credentials, bucket=bucket, user_agent=user_agent) as client:
        log.info("apiserver.chosen", server=client.server)
        yield KubeDevices(client, name), KubeClaims(client, name), KubeNodes(client, name)


async def stopped_by_signals(scope: CancelScope, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
    """Cancel *scope* at SIGTERM or SIGINT, and see to it that the process ends."""
    with open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        task_status.started()
        async for number in received:
            log.info("agent.stopping", signal=signal.Signals(number).name)
            # The kernel may hold a thread of ours for ever; the pod must end all the same.
            last_resort = threading.Timer(_PATIENCE, os._exit, args=(0,))
            last_resort.daemon = True
            last_resort.start()
            scope.cancel()
            return
