"""How long what is due waits for a worker is told, not how long it was not due yet; and who waits costs nothing."""

from __future__ import annotations

import asyncio

from collections import Counter
from typing import Any

import pytest

from anyio import create_task_group, sleep, wait_all_tasks_blocked

from pcidevices.runtime.workqueue import WorkQueue


async def taken(queue: WorkQueue[str]) -> str:
    async with queue.take() as key:
        return key


async def test_the_time_without_a_worker_is_told() -> None:
    told: list[float] = []
    queue: WorkQueue[str] = WorkQueue(lambda _: 1.0, waited=told.append)
    queue.add("a")
    await sleep(7)
    await taken(queue)

    assert told == [pytest.approx(7, abs=0.01)]


async def test_a_key_added_many_times_has_waited_since_the_first() -> None:
    told: list[float] = []
    queue: WorkQueue[str] = WorkQueue(lambda _: 1.0, waited=told.append)
    queue.add("a")
    await sleep(5)
    queue.add("a")
    await sleep(5)
    await taken(queue)

    assert told == [pytest.approx(10, abs=0.01)]


async def test_a_delay_is_no_waiting() -> None:
    told: list[float] = []
    queue: WorkQueue[str] = WorkQueue(lambda _: 1.0, waited=told.append)
    queue.add_after("a", 3600)
    assert queue.delayed == 1
    await taken(queue)

    assert told == [pytest.approx(0, abs=0.01)]
    assert queue.delayed == 0


async def test_a_delay_that_is_over_and_finds_no_worker_is_waiting() -> None:
    """As while all of them wait for the kernel."""
    told: list[float] = []
    queue: WorkQueue[str] = WorkQueue(lambda _: 1.0, waited=told.append)
    queue.add_after("a", 10)
    await sleep(70)
    await taken(queue)

    assert told == [pytest.approx(60, abs=0.01)]


async def test_a_key_does_not_wake_everybody_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of fifty workers, say: forty-nine would find nothing, and wait again."""
    queue: WorkQueue[str] = WorkQueue(lambda _: 1.0)
    loop = asyncio.get_running_loop()
    really, woken = loop.call_soon, Counter[str]()

    def counted(*what: Any, **how: Any) -> object:
        woken["all"] += 1
        return really(*what, **how)

    async def work() -> None:
        while True:
            await taken(queue)

    async with create_task_group() as tg:
        for _ in range(50):
            tg.start_soon(work)
        await wait_all_tasks_blocked()
        with monkeypatch.context() as patch:
            patch.setattr(loop, "call_soon", counted)
            queue.add("a")
            await sleep(1)
        tg.cancel_scope.cancel()

    assert 0 < woken["all"] < 25
