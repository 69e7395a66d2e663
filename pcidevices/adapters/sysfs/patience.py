"""Calls to the kernel that may take for ever, and how long to wait for them."""

from __future__ import annotations

import math

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from anyio import Event, current_time, move_on_after
from anyio.abc import TaskGroup

from pcidevices.runtime.threads import in_daemon_thread


K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


async def in_a_thread(call: Callable[[], T]) -> T:
    """Run a blocking *call* in a thread that keeps neither a cancelled task nor the end of the process waiting."""
    return await in_daemon_thread(call, overdue=math.inf, tell_overdue=lambda _: None)


class Unanswered(Exception):
    """The call has not returned in time; it goes on."""


class Call(Generic[T]):
    """
    Makes *call* in a task of its own, one of *tasks*, whoever waits for it and how long.

    *on_late* is called when it returns, or raises, after somebody has given it up.
    """

    def __init__(self, tasks: TaskGroup, call: Callable[[], Awaitable[T]], *, on_late: Callable[[], object]) -> None:
        self.error: Exception | None = None
        self._begun = current_time()
        self._call = call
        self._on_late = on_late
        self._returned = Event()
        self._value: list[T] = []
        self._is_given_up = False
        tasks.start_soon(self._run)

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return current_time() - self._begun

    async def result(self, *, within: float) -> T:
        """
        What the call returns or raises.

        Raises:
            Unanswered: it has done neither *within* seconds from its beginning.
        """
        try:
            with move_on_after(within - self.seconds):
                await self._returned.wait()
        finally:
            self._is_given_up = not self._returned.is_set()
        if self.error is not None:
            raise self.error
        if self._is_given_up:
            raise Unanswered
        return self._value[0]

    async def _run(self) -> None:
        try:
            self._value.append(await self._call())
        except Exception as error:  # noqa: BLE001  raised again in `result`
            self.error = error
        self._returned.set()
        if self._is_given_up:
            self._on_late()


class Questions(Generic[K]):
    """
    Questions about *keys*. One that has not been answered is not asked again until it has: that would only hang too.

    *on_late* is called when an answer came although its question had been given up.
    """

    def __init__(self, tasks: TaskGroup, *, on_late: Callable[[K], object]) -> None:
        self._tasks = tasks
        self._on_late = on_late
        self._silent: Counter[K] = Counter()

    def ask(self, key: K, call: Callable[[], Awaitable[T]]) -> Callable[[float], Awaitable[T | None]]:
        """Ask now; what is returned waits, so many seconds from now. Its answer is None when there is none."""
        given_up: list[K] = []

        def late() -> None:
            if given_up:
                self._silent[key] -= 1
                self._on_late(key)

        asked = None if self._silent[key] else Call(self._tasks, call, on_late=late)

        async def answer(within: float) -> T | None:
            if asked is None:
                return None
            try:
                return await asked.result(within=within)
            except Unanswered:
                given_up.append(key)
                self._silent[key] += 1
                return None

        return answer
