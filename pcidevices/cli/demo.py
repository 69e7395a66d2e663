"""``pcidevices demo``: a simulated node, an API server in memory, the agent between them, ready for kubectl."""

from __future__ import annotations

import argparse
import errno
import json
import shutil
import tempfile

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio

from anyio import create_task_group, sleep_forever

from pcidevices import logs
from pcidevices.api.crd import definitions
from pcidevices.app import run as run_agent
from pcidevices.registry import Registry
from pcidevices.sim.apiserver import ApiServer
from pcidevices.sim.node import BUILTIN_SPEC

from .agent import stopped_by_signals
from .loglevel import level_by_signals
from .tour import Tour
from .worlds import simulated_world


_NODE_NAME = "janus"

_WELCOME = """\
A simulated node, {node}, has {devices} PCI devices; an API server in memory shows them. Nothing here is real.
In another terminal:

    export KUBECONFIG={kubeconfig}
    kubectl get pcidevices
    kubectl get pcidevices -o wide -l devices.harvesterhci.io/vendor=10de
    kubectl describe pcidev {node}-000003000
    kubectl get pcidevices -w

Devices are plugged and unplugged by editing {spec}
What the agent says goes to {log}
Ctrl-C ends it, and everything is gone.
"""


def run(settings: argparse.Namespace) -> int:
    """Run until Ctrl-C, or with --check take the tour and tell whether all was as it should be."""
    with tempfile.TemporaryDirectory(prefix="pcidevices-demo-") as folder:
        try:
            return anyio.run(_demo, settings, Path(folder))
        except KeyboardInterrupt:
            return 1 if settings.check else 0


async def _demo(settings: argparse.Namespace, folder: Path) -> int:
    async with create_task_group() as tg:
        if not settings.check:
            await tg.start(stopped_by_signals, tg.cancel_scope)
        tg.start_soon(level_by_signals, settings.log_level)
        status = await _run(settings, folder)
        tg.cancel_scope.cancel()
        return status
    return 0  # a signal ended it


async def _run(settings: argparse.Namespace, folder: Path) -> int:
    kubeconfig, spec, log_file = folder / "kubeconfig", folder / "node.yaml", folder / "agent.log"
    shutil.copyfile(BUILTIN_SPEC, spec)
    agent = argparse.Namespace(
        **vars(settings),
        kubeconfig=str(kubeconfig),
        context=None,
        simulate=str(spec),
        bridges=False,
        pci_ids=None,
        namespace="default",
        kubevirt=None,
    )
    agent.node_name = settings.node_name or _NODE_NAME
    async with AsyncExitStack() as stack:
        logs.configure(settings.log_level, settings.log_format, to=stack.enter_context(log_file.open("a")))
        server = await stack.enter_async_context(_served(settings.port))
        kubeconfig.write_text(json.dumps(server.kubeconfig(), indent=2))
        server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": agent.node_name}})
        name = agent.node_name
        simulated = simulated_world(agent, patch_node=lambda change: server.patch("nodes", name, change))
        world, policy = await stack.enter_async_context(simulated)
        tg = await stack.enter_async_context(create_task_group())
        registry: Registry = await tg.start(run_agent, agent.node_name, policy, world)
        devices = sum(device.is_published(bridges=False) for device in registry.snapshot.devices.values())
        if settings.check:
            passed = await Tour(server, kubeconfig, agent.node_name, spec=spec, devices=devices).take()
            tg.cancel_scope.cancel()
            return 0 if passed else 1
        print(
            _WELCOME.format(
                node=agent.node_name,
                devices=devices,
                kubeconfig=kubeconfig,
                spec=spec,
                log=log_file,
            ),
            flush=True,
        )
        await sleep_forever()
    return 0


@asynccontextmanager
async def _served(port: int) -> AsyncIterator[ApiServer]:
    """The API server on *port*, or where that is taken, on another: kubectl remembers a server by its port."""
    server = ApiServer(definitions())
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(server.serving(port=port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await stack.enter_async_context(server.serving(port=0))
        yield server
