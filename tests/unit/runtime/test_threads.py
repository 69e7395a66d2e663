"""From other threads to the event loop: real threads, so real time."""

from __future__ import annotations

import math
import threading

from collections.abc import Callable
from typing import TypeVar

import anyio
import pytest

from anyio import Event, create_task_group, fail_after, to_thread

from pcidevices.runtime.threads import in_daemon_thread, on_the_loop
from tests.support.waiting import answered


T = TypeVar("T")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_call_from_another_thread_runs_on_the_loops() -> None:
    called, here = Event(), threading.current_thread()
    threads: list[threading.Thread] = []

    def note(*, done: Event) -> None:
        threads.append(threading.current_thread())
        done.set()

    soon = on_the_loop(note)
    await to_thread.run_sync(lambda: soon(done=called))
    with fail_after(5):
        await called.wait()

    assert threads == [here]


def test_once_the_loop_has_ended_a_call_is_nothing() -> None:
    calls: list[int] = []

    async def main() -> object:
        return on_the_loop(calls.append)

    soon = anyio.run(main)
    assert callable(soon)
    soon(1)

    assert calls == []


async def alive() -> int:
    return threading.active_count()


async def in_a_thread(call: Callable[[], T]) -> T:
    return await in_daemon_thread(call, overdue=math.inf, tell_overdue=lambda _: None)


async def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_a_thread(lambda: 1 // 0)


async def test_a_thread_that_has_nothing_to_do_is_used_again() -> None:
    """Whoever starts one waits for it to run: here that is the loop."""
    threads = [await in_a_thread(threading.current_thread) for _ in range(20)]

    assert len(set(threads)) <= 2, "it may be late to say that it is idle"
    assert all(thread.daemon for thread in threads)


async def test_calls_that_hang_hold_up_no_other_and_leave_few_threads() -> None:
    may_go, threads = threading.Event(), await alive()
    with fail_after(10):
        async with create_task_group() as tg:
            for _ in range(30):
                tg.start_soon(in_a_thread, may_go.wait)
            assert await in_a_thread(lambda: "done") == "done"
            may_go.set()
        await answered(alive, lambda now: now <= threads + 8)
