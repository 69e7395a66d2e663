"""``pcidevices agent``: build the adapters, run the agent, end in good order."""

from __future__ import annotations

import argparse
import os
import signal
import threading

import anyio
import structlog

from anyio import TASK_STATUS_IGNORED, CancelScope, create_task_group, open_signal_receiver
from anyio.abc import TaskStatus

from pcidevices import __version__, logs
from pcidevices.app import run as run_agent
from pcidevices.errors import ConfigError, HardwareError
from pcidevices.runtime.supervise import causes
from pcidevices.settings import existing_folder, own_node_name

from .loglevel import level_by_signals
from .worlds import real_world, simulated_world


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
        tg.start_soon(level_by_signals, settings.log_level)
        async with real_world(settings) if settings.simulate is None else simulated_world(settings) as (world, policy):
            log.info("agent.started", version=__version__, node=settings.node_name)
            await run_agent(settings.node_name, policy, world)
    log.info("agent.stopped")


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
