"""Many hints, one look: soon, and none forgotten."""

from __future__ import annotations

from collections import Counter

import anyio
import looptime
import pytest

from anyio import create_task_group, current_time, move_on_after, sleep, wait_all_tasks_blocked
from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.runtime.debounce import Debounce


QUIET, LIMIT = 1.0, 10.0


async def hints(debounce: Debounce, *pauses: float) -> None:
    """A hint after each of these pauses."""
    for pause in pauses:
        await sleep(pause)
        debounce.hint("kernel")


async def test_a_burst_is_one_look() -> None:
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    for source in ("kernel", "kernel", "vfio"):
        debounce.hint(source)

    assert await debounce.wait() == {"kernel": 2, "vfio": 1}
    with pytest.raises(TimeoutError), anyio.fail_after(3600):
        await debounce.wait()


async def test_it_waits_for_quiet_after_the_last_hint() -> None:
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    start = current_time()
    async with create_task_group() as tg:
        tg.start_soon(hints, debounce, 3.0, 0.9, 0.9)

        assert await debounce.wait() == {"kernel": 3}

    assert current_time() - start == pytest.approx(3.0 + 0.9 + 0.9 + QUIET, abs=0.01)


async def test_a_source_that_never_stops_does_not_starve_the_look() -> None:
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    start = current_time()
    async with create_task_group() as tg:
        tg.start_soon(hints, debounce, *[0.5] * 100)

        await debounce.wait()

        assert current_time() - start == pytest.approx(0.5 + LIMIT, abs=0.01)
        tg.cancel_scope.cancel()


async def test_hints_during_a_look_are_the_next_rounds() -> None:
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    debounce.hint("kernel")
    await debounce.wait()
    debounce.hint("vfio")

    assert await debounce.wait() == {"vfio": 1}


async def test_hints_survive_a_wait_that_was_given_up() -> None:
    """The resync ends a wait; what it had collected is the next one's."""
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    with move_on_after(0.5):
        debounce.hint("kernel")
        await debounce.wait()

    assert await debounce.wait() == {"kernel": 1}


async def test_a_hint_that_came_long_before_the_wait_is_not_made_to_wait_more() -> None:
    """It was quiet for as long as is asked for while the look before it went on."""
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    debounce.hint("kernel")
    await sleep(QUIET)
    start = current_time()

    await debounce.wait()

    assert current_time() - start == pytest.approx(0, abs=0.01)


async def test_the_limit_counts_from_the_first_hint_although_nobody_waited_yet() -> None:
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    start = current_time()
    async with create_task_group() as tg:
        tg.start_soon(hints, debounce, *[0.5] * 100)
        await sleep(5)

        await debounce.wait()

        assert current_time() - start == pytest.approx(0.5 + LIMIT, abs=0.01)
        tg.cancel_scope.cancel()


async def test_a_wait_without_hints_waits() -> None:
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    async with create_task_group() as tg:
        tg.start_soon(debounce.wait)
        await wait_all_tasks_blocked()
        with move_on_after(3600) as scope:
            await sleep(4000)
        tg.cancel_scope.cancel()

    assert scope.cancelled_caught


@settings(max_examples=20)
@given(st.lists(st.integers(1, 40).map(lambda tenths: tenths / 10), max_size=30))
def test_every_hint_is_counted_once_and_looked_at_in_time(pauses: list[float]) -> None:
    debounce = Debounce(quiet=QUIET, limit=LIMIT)
    counted: Counter[str] = Counter()
    waiting: list[float] = []
    late: list[float] = []

    async def look() -> None:
        while True:
            counted.update(await debounce.wait())
            first, last, now = waiting[0], waiting[-1], current_time()
            waiting.clear()
            late.append(now - min(last + QUIET, first + LIMIT))

    async def day() -> None:
        async with create_task_group() as tg:
            tg.start_soon(look)
            for pause in pauses:
                await sleep(pause)
                waiting.append(current_time())
                debounce.hint("kernel")
            await sleep(LIMIT)
            tg.cancel_scope.cancel()

    anyio.run(day, backend_options={"loop_factory": looptime.new_event_loop})

    assert counted.total() == len(pauses)
    assert all(seconds <= 0.001 for seconds in late)
