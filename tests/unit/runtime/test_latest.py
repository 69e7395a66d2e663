"""A value with one writer and any number of readers."""

from __future__ import annotations

from anyio import create_task_group, fail_after, wait_all_tasks_blocked

from pcidevices.runtime.latest import Latest


async def test_a_reader_sees_the_value_now_and_every_change_it_is_fast_enough_for() -> None:
    latest = Latest(0)
    seen: list[int] = []

    async def read() -> None:
        async for value in latest.values():
            seen.append(value)
            if value == 3:
                break

    async with create_task_group() as tg:
        tg.start_soon(read)
        for value in (1, 2, 3):
            await wait_all_tasks_blocked()
            latest.set(value)

    assert seen == [0, 1, 2, 3]


async def test_what_a_reader_is_too_slow_for_merges_and_the_newest_is_never_missed() -> None:
    latest = Latest(0)
    values = latest.values()
    assert await anext(values) == 0

    for value in (1, 2, 3):
        latest.set(value)

    with fail_after(1):
        assert await anext(values) == 3
    assert latest.value == 3


async def test_every_reader_is_told() -> None:
    latest = Latest(0)
    seen: list[int] = []

    async def read() -> None:
        seen.append(await latest.wait_for(lambda value: value > 1))

    async with create_task_group() as tg:
        for _ in range(3):
            tg.start_soon(read)
        for value in (1, 2):
            await wait_all_tasks_blocked()
            latest.set(value)

    assert seen == [2, 2, 2]


async def test_what_holds_already_is_not_waited_for() -> None:
    with fail_after(1):
        assert await Latest(5).wait_for(lambda value: value == 5) == 5
