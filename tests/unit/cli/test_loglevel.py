"""How much is told can be changed while the program runs."""

from __future__ import annotations

import io
import json
import os
import signal

import structlog

from anyio import create_task_group, wait_all_tasks_blocked

from pcidevices import logs
from pcidevices.cli.loglevel import level_by_signals
from pcidevices.metrics import REGISTRY


def told(output: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in output.getvalue().splitlines()]


async def signalled(number: signal.Signals, output: io.StringIO) -> None:
    """Send it to ourselves; return when that has been told."""
    before = len(told(output))
    os.kill(os.getpid(), number)
    while len(told(output)) == before:
        await wait_all_tasks_blocked()


async def test_one_signal_has_everything_told_and_another_what_was_configured() -> None:
    """Of loggers that are in use already too; and the change itself is told in any case."""
    output = io.StringIO()
    logs.configure("error", "json", to=output)
    used_before = structlog.get_logger()
    used_before.debug("before.debugging")
    async with create_task_group() as tg:
        await tg.start(level_by_signals, "error")
        await signalled(signal.SIGUSR1, output)
        used_before.debug("while.debugging")
        structlog.get_logger().debug("while.debugging")
        await signalled(signal.SIGUSR2, output)
        used_before.debug("after.debugging")
        structlog.get_logger().error("after.debugging")
        tg.cancel_scope.cancel()

    assert told(output) == [
        "level.changed",
        "while.debugging",
        "while.debugging",
        "level.changed",
        "after.debugging",
    ]


def test_what_is_not_told_costs_next_to_nothing() -> None:
    """A method that does nothing stands in its place, as before anything was changed."""
    logs.configure("info", "json", to=io.StringIO())
    at_first = logs._Logger.debug
    logs.set_level("debug")
    logs.set_level("info")

    assert logs._Logger.debug is at_first


def test_warnings_and_errors_are_counted() -> None:
    """Also with a scrape in mind: both are there from the start, so that the first one is an increase."""
    logs.configure("error", "json", to=io.StringIO())
    before = REGISTRY.get_sample_value("pcidevices_problems_logged_total", {"level": "error"})
    structlog.get_logger().error("sky.fallen")

    assert before is not None
    assert REGISTRY.get_sample_value("pcidevices_problems_logged_total", {"level": "error"}) == before + 1
