"""The promises of the queue, one by one."""

from __future__ import annotations

import pytest

from anyio import CancelScope, create_task_group, current_time, fail_after, move_on_after, wait_all_tasks_blocked

from pcidevices.runtime.workqueue import WorkQueue


def a_queue() -> WorkQueue[str]:
    return WorkQueue(backoff=lambda failures: 10.0 * 2**failures)


async def taken(queue: WorkQueue[str], *, within: float = 0.001) -> str | None:
    """The next key, given back at once; None when there is none in time."""
    with move_on_after(within):
        async with queue.take() as key:
            return key
    return None


async def test_many_adds_are_one_take() -> None:
    queue = a_queue()

    queue.add("a")
    queue.add("a")

    assert len(queue) == 1
    assert [await taken(queue), await taken(queue)] == ["a", None]


async def test_keys_are_taken_in_the_order_they_were_added() -> None:
    queue = a_queue()

    for key in "bca":
        queue.add(key)

    assert [await taken(queue) for _ in range(3)] == ["b", "c", "a"]


async def test_a_key_is_not_handed_out_twice_at_once() -> None:
    queue = a_queue()
    queue.add("a")

    async with queue.take():
        queue.add("a")

        assert len(queue) == 0
        assert await taken(queue, within=60) is None


async def test_a_key_added_while_active_is_taken_again_afterwards() -> None:
    queue = a_queue()
    queue.add("a")

    async with queue.take():
        queue.add("a")
        queue.add("a")

    assert [await taken(queue), await taken(queue)] == ["a", None]


async def test_a_worker_that_crashes_gives_its_key_back() -> None:
    queue = a_queue()
    queue.add("a")

    async def crash() -> None:
        async with queue.take() as key:
            queue.add(key)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await crash()

    assert await taken(queue) == "a"


async def test_a_worker_that_is_cancelled_while_it_waits_takes_its_key_or_leaves_it() -> None:
    queue = a_queue()
    seen: list[str | None] = []

    async def worker() -> None:
        seen.append(await taken(queue, within=60))

    async with create_task_group() as tg:
        tg.start_soon(worker)
        await wait_all_tasks_blocked()
        queue.add("a")
        tg.cancel_scope.cancel()

    assert [key for key in (*seen, await taken(queue)) if key] == ["a"]


async def test_each_waiting_worker_gets_a_key() -> None:
    queue = a_queue()
    seen: list[str | None] = []

    async def worker() -> None:
        seen.append(await taken(queue, within=60))

    async with create_task_group() as tg:
        for _ in range(3):
            tg.start_soon(worker)
        await wait_all_tasks_blocked()
        for key in "ab":
            queue.add(key)

    assert sorted(map(str, seen)) == ["None", "a", "b"]


async def test_retries_grow_until_forgotten() -> None:
    queue = a_queue()
    start = current_time()

    for expected in (10, 30, 70):
        queue.retry("a")
        assert await taken(queue, within=3600) == "a"
        assert current_time() - start == pytest.approx(expected, abs=0.01)
    queue.forget("a")

    assert queue.retry("a") == 10


async def test_each_key_has_a_delay_of_its_own() -> None:
    queue = a_queue()

    assert [queue.retry(key) for key in "aab"] == [10, 20, 10]


async def test_a_retry_waits_at_least_as_long_as_asked() -> None:
    queue = a_queue()

    assert queue.retry("a", at_least=45) == 45
    assert queue.retry("a", at_least=5) == 20


async def test_the_earliest_of_several_delays_wins() -> None:
    queue = a_queue()
    start = current_time()

    for delay in (50, 20, 30):
        queue.add_after("a", delay)

    assert [await taken(queue, within=3600), await taken(queue, within=3600)] == ["a", None]
    assert current_time() - start == pytest.approx(20 + 3600, abs=0.01)


async def test_an_add_overtakes_a_delay() -> None:
    queue = a_queue()
    queue.add_after("a", 3600)

    queue.add("a")

    assert [await taken(queue), await taken(queue, within=7200)] == ["a", None]


async def test_an_earlier_delay_wakes_who_waits_for_a_later_one() -> None:
    queue = a_queue()
    queue.add_after("late", 3600)
    start = current_time()
    async with create_task_group() as tg:
        tg.start_soon(taken, queue)
        await wait_all_tasks_blocked()
        queue.add_after("soon", 5)

        with fail_after(10):
            assert await taken(queue, within=9) == "soon"
    assert current_time() - start == pytest.approx(5, abs=0.5)


async def test_to_forget_what_never_failed_is_nothing() -> None:
    queue = a_queue()

    queue.forget("a")

    assert queue.retry("a") == 10


async def test_a_worker_that_never_runs_dry_can_be_cancelled() -> None:
    """Stopping is cancelling: also amid requests that ask for nothing to be done."""
    queue = a_queue()
    rounds = 0
    with CancelScope() as scope:
        scope.cancel()
        while rounds < 100:
            queue.add("a")
            async with queue.take():
                rounds += 1

    assert rounds == 0
