"""The promises of the queue, under any interleaving of those who add and those who work."""

from __future__ import annotations

from collections import Counter

import anyio
import looptime

from anyio import create_task_group, sleep
from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.runtime.workqueue import WorkQueue


TIMES = st.integers(0, 5).map(float)
KEYS = st.sampled_from("abc")
ADDS = st.lists(st.tuples(TIMES, KEYS, st.none() | TIMES), max_size=15)
"""How long to wait before it, what is added, and with which delay, if any."""
WORK = st.lists(st.tuples(TIMES, st.booleans()), max_size=15)
"""How long each piece of work takes, and whether it is to be tried again."""


class Shop:
    """A queue, workers, and a book of everything that happened, by the order in which it did."""

    def __init__(self, work: list[tuple[float, bool]]) -> None:
        self.queue: WorkQueue[str] = WorkQueue(backoff=lambda failures: 1.0 + failures)
        self.work = iter(work)
        self.step = 0
        self.active: Counter[str] = Counter()
        self.wanted: dict[str, int] = {}
        self.begun: dict[str, int] = {}
        self.takes: Counter[str] = Counter()
        self.wishes: Counter[str] = Counter()

    def wish(self, key: str) -> None:
        self.step += 1
        self.wanted[key] = self.step
        self.wishes[key] += 1

    async def worker(self) -> None:
        while True:
            async with self.queue.take() as key:
                self.step += 1
                self.begun[key] = self.step
                self.takes[key] += 1
                self.active[key] += 1
                assert self.active[key] == 1, f"{key} was handed to two workers"
                duration, again = next(self.work, (0.0, False))
                await sleep(duration)
                if again:
                    self.wish(key)
                    self.queue.retry(key)
                self.active[key] -= 1

    async def customer(self, adds: list[tuple[float, str, float | None]]) -> None:
        for pause, key, delay in adds:
            await sleep(pause)
            self.wish(key)
            if delay is None:
                self.queue.add(key)
            else:
                self.queue.add_after(key, delay)


@settings(max_examples=20)
@given(ADDS, ADDS, WORK, st.integers(1, 3))
def test_whatever_is_added_is_taken_afterwards_never_twice_at_once_and_no_oftener_than_asked(
    some: list[tuple[float, str, float | None]],
    others: list[tuple[float, str, float | None]],
    work: list[tuple[float, bool]],
    workers: int,
) -> None:
    shop = Shop(work)

    async def day() -> None:
        async with create_task_group() as tg:
            for _ in range(workers):
                tg.start_soon(shop.worker)
            tg.start_soon(shop.customer, some)
            tg.start_soon(shop.customer, others)
            await sleep(10_000)
            tg.cancel_scope.cancel()

    anyio.run(day, backend_options={"loop_factory": looptime.new_event_loop})

    assert shop.begun.keys() == shop.wanted.keys()
    assert all(shop.begun[key] > wanted for key, wanted in shop.wanted.items())
    assert all(shop.takes[key] <= wishes for key, wishes in shop.wishes.items())
    assert len(shop.queue) == 0
