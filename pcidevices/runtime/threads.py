"""From other threads to the event loop."""

from __future__ import annotations

import asyncio
import threading

from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

from anyio import Event, move_on_after


P = ParamSpec("P")
T = TypeVar("T")

_MOST_IDLE = 4
_idle: list[SimpleQueue[Callable[[], None]]] = []
"""Of each thread that has nothing to do, where it waits for something. Whoever starts a thread waits for it to run."""


def on_the_loop(call: Callable[P, object]) -> Callable[P, None]:
    """
    A callable that any thread may call; *call* then runs on the loop that is running now, soon.

    It never blocks the thread (``anyio.from_thread`` would), and once the loop has ended does nothing.
    """
    loop = asyncio.get_running_loop()

    def soon(*args: P.args, **kwargs: P.kwargs) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it whoever wanted to know
            loop.call_soon_threadsafe(lambda: call(*args, **kwargs))

    return soon


async def in_daemon_thread(call: Callable[[], T], *, overdue: float, tell_overdue: Callable[[float], object]) -> T:
    """
    Run a blocking *call* in a daemon thread that does nothing else meanwhile, and return or raise what it does.

    While it lasts, *tell_overdue* is called every *overdue* seconds with how long it has lasted.

    Unlike one of ``anyio.to_thread``, a thread that the kernel holds for ever keeps neither a cancelled
    task nor the end of the process waiting.
    """
    returned: list[T] = []
    raised: list[BaseException] = []
    done = Event()
    tell_done = on_the_loop(done.set)

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # noqa: BLE001  raised again where it is awaited
            raised.append(error)
        tell_done()

    _in_some_thread(run)
    lasted = 0.0
    while not done.is_set():
        with move_on_after(overdue):
            await done.wait()
            break
        lasted += overdue
        tell_overdue(lasted)
    if raised:
        raise raised[0]
    return returned[0]


def _in_some_thread(call: Callable[[], None]) -> None:
    """One that is idle, or a new one; it never waits for those that are busy, which may be so for ever."""
    try:
        todo = _idle.pop()
    except IndexError:
        todo = SimpleQueue()
        threading.Thread(target=_work, args=(todo,), daemon=True, name="daemon call").start()
    todo.put(call)


def _work(todo: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        todo.get()()
        if len(_idle) >= _MOST_IDLE:
            return
        _idle.append(todo)
