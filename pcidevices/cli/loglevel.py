"""How much is told, changed while the program runs: SIGUSR1 for all there is, SIGUSR2 for what was configured."""

from __future__ import annotations

import signal

import structlog

from anyio import TASK_STATUS_IGNORED, open_signal_receiver
from anyio.abc import TaskStatus

from pcidevices import logs


log = structlog.get_logger()


async def level_by_signals(configured: str, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
    """Change the level with each signal, for ever."""
    with open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as received:
        task_status.started()
        async for number in received:
            level = "debug" if number == signal.SIGUSR1 else configured
            # Told in any case, also when nothing but errors was configured.
            logs.set_level("debug")
            log.info("level.changed", least=level, signal=signal.Signals(number).name)
            logs.set_level(level)
