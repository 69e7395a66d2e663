"""What the kernel announces, and to whom."""

from __future__ import annotations

import os
import time

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread

import anyio
import pytest

from anyio import Event, create_task_group, fail_after
from structlog.testing import capture_logs

from pcidevices.adapters.sysfs.uevents import Uevents
from pcidevices.adapters.sysfs.vfionodes import VfioNodes
from tests.support.waiting import wait_until


LIMIT = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


class Hints:
    """Counts hints."""

    def __init__(self) -> None:
        self.count = 0
        self._came = Event()

    def __call__(self, _source: str) -> None:
        self.count += 1
        self._came.set()

    async def after(self, count: int) -> None:
        """Wait for one more than *count*."""
        with fail_after(20):
            while self.count <= count:
                self._came = Event()
                await self._came.wait()


@asynccontextmanager
async def noticing(dev: Path) -> AsyncIterator[Hints]:
    """A folder of nodes under watch."""
    hints = Hints()
    async with create_task_group() as tg:
        tg.start_soon(VfioNodes(dev).run, hints)
        await anyio.wait_all_tasks_blocked()
        yield hints
        tg.cancel_scope.cancel()


@pytest.fixture
def dev(memory: Path) -> Path:
    return memory


async def test_a_node_that_comes_or_goes_is_a_hint(dev: Path) -> None:
    (dev / "vfio").mkdir()
    async with noticing(dev) as hints:
        (dev / "vfio/12").touch()
        await hints.after(0)
        seen = hints.count
        (dev / "vfio/12").unlink()
        await hints.after(seen)


async def test_the_folder_may_come_later_and_again(dev: Path) -> None:
    """It comes and goes with the module."""
    async with noticing(dev) as hints:
        for _ in range(3):
            seen = hints.count
            (dev / "vfio").mkdir()
            await hints.after(seen)
            seen = hints.count
            (dev / "vfio/7").touch()
            await hints.after(seen)
            seen = hints.count
            (dev / "vfio/7").unlink()
            await hints.after(seen)
            (dev / "vfio").rmdir()


async def test_a_folder_that_comes_with_nodes_in_it_is_a_hint(dev: Path) -> None:
    async with noticing(dev) as hints:
        (dev / "vfio").mkdir()
        (dev / "vfio/1").touch()
        await hints.after(0)


async def test_a_folder_that_is_gone_at_once_is_no_end(dev: Path) -> None:
    with capture_logs() as logs:
        async with noticing(dev) as hints:
            for _ in range(200):
                (dev / "vfio").mkdir()
                (dev / "vfio").rmdir()
            (dev / "vfio").mkdir()
            await hints.after(0)
            await anyio.wait_all_tasks_blocked()
            seen = hints.count
            (dev / "vfio/1").touch()
            await hints.after(seen)
    assert logs == []


async def test_other_devices_are_no_hint(dev: Path) -> None:
    (dev / "vfio").mkdir()
    async with noticing(dev) as hints:
        (dev / "sda").touch()
        (dev / "vfio2").mkdir()
        (dev / "vfio/12").touch()
        await hints.after(0)

        assert hints.count == 1


@pytest.mark.skipif(LIMIT > 50_000, reason="it would take too many")
async def test_events_that_were_too_many_to_be_told_are_a_hint(dev: Path) -> None:
    """The kernel keeps some thousands, then says only that there were more."""
    names = [str(dev / name) for name in ("a", "b")]

    def flood() -> None:
        for number in range(LIMIT + 1):  # two names in turn, since equal events become one
            os.mkdir(names[number % 2])  # noqa: PTH102  16,000 Path objects take their time
            os.rmdir(names[number % 2])  # noqa: PTH106
        (dev / "vfio").mkdir()

    async with noticing(dev) as hints:
        flooding = Thread(target=flood)  # on the loop, each call would be looked at by who watches for blocking ones
        flooding.start()
        flooding.join()  # nobody reads meanwhile
        await hints.after(0)


async def test_a_folder_that_cannot_be_watched_is_told_and_ends_the_source(dev: Path) -> None:
    hints = Hints()
    with capture_logs() as logs, fail_after(20):
        await VfioNodes(dev / "none").run(hints)

    assert [log["event"] for log in logs] == ["inotify.unavailable"]


async def test_listening_to_uevents_begins_with_a_hint_and_ends_when_told() -> None:
    """What happened before the socket was there is not announced any more."""
    hints = Hints()
    with capture_logs() as logs:
        async with create_task_group() as tg:
            tg.start_soon(Uevents(clock=time.monotonic).run, hints)
            await wait_until(lambda: hints.count or logs)
            tg.cancel_scope.cancel()

    if not hints.count:
        assert [log["event"] for log in logs] == ["uevents.unavailable"]
        pytest.skip("the socket is refused here")
