"""No more than so many a second, first come, first served."""

from __future__ import annotations

import pytest

from anyio import create_task_group, current_time, move_on_after, sleep, wait_all_tasks_blocked

from pcidevices.runtime.tokenbucket import TokenBucket


class Till:
    """Customers of a bucket: who got a token when, since the beginning."""

    def __init__(self, *, rate: float, burst: int) -> None:
        self.bucket = TokenBucket(rate=rate, burst=burst)
        self.start = current_time()
        self.served: list[tuple[int, float]] = []

    async def customer(self, number: int) -> None:
        await self.bucket.take()
        self.served.append((number, current_time() - self.start))

    async def serve(self, count: int) -> list[float]:
        """When each of *count* customers, who come at once, is served."""
        self.served.clear()
        async with create_task_group() as tg:
            for number in range(count):
                tg.start_soon(self.customer, number)
        return [at for _, at in self.served]

    @property
    def order(self) -> list[int]:
        return [number for number, _ in self.served]


async def test_a_burst_goes_through_at_once_and_then_the_rate_holds() -> None:
    till = Till(rate=2, burst=3)

    served = await till.serve(6)

    assert served == pytest.approx([0, 0, 0, 0.5, 1.0, 1.5], abs=0.001)
    assert till.order == [0, 1, 2, 3, 4, 5]


async def test_tokens_come_back_with_time_up_to_the_burst() -> None:
    till = Till(rate=2, burst=3)
    await till.serve(3)

    await sleep(3600)
    served = await till.serve(5)

    assert served == pytest.approx([3600, 3600, 3600, 3600.5, 3601], abs=0.001)


async def test_in_any_second_no_more_than_burst_and_rate_go_through() -> None:
    till = Till(rate=50, burst=10)

    served = await till.serve(200)

    assert all(sum(at <= other < at + 1 - 0.001 for other in served) <= 60 for at in served)
    assert served[-1] == pytest.approx(190 / 50, abs=0.01)


async def test_whoever_goes_away_has_taken_no_token() -> None:
    """Else those who come later would pay for every answer that did not come in time."""
    till = Till(rate=1, burst=1)
    await till.serve(1)
    for _ in range(5):
        with move_on_after(0.1):
            await till.bucket.take()

    assert await till.serve(2) == pytest.approx([1, 2], abs=0.001)


async def test_a_pause_holds_up_who_comes_later() -> None:
    till = Till(rate=2, burst=3)
    till.bucket.pause(30)

    assert await till.serve(2) == pytest.approx([30, 30], abs=0.001)


async def test_a_pause_holds_up_who_waits_already() -> None:
    """A server that asks for peace must have it from everyone."""
    till = Till(rate=1, burst=1)
    async with create_task_group() as tg:
        for number in range(3):
            tg.start_soon(till.customer, number)
        await wait_all_tasks_blocked()
        till.bucket.pause(30)

    assert [at for _, at in till.served] == pytest.approx([0, 30, 30], abs=0.5)


async def test_after_a_pause_the_order_is_kept() -> None:
    till = Till(rate=10, burst=20)
    till.bucket.pause(30)

    await till.serve(10)

    assert till.order == list(range(10))


async def test_the_longest_of_several_pauses_holds() -> None:
    till = Till(rate=2, burst=3)
    till.bucket.pause(30)
    till.bucket.pause(5)

    assert await till.serve(1) == pytest.approx([30], abs=0.001)
