"""How long what is due waits for a worker is told; how long it was not due yet is not."""

from __future__ import annotations

import pytest

from anyio import sleep

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
