"""A value many tasks can read, and wait on; late readers skip to the newest."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

from anyio import Event


T = TypeVar("T")


class Latest(Generic[T]):
    """One value with one writer. Readers wait for changes; what they were too slow to see has merged."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._changed = Event()

    @property
    def value(self) -> T:
        return self._value

    def set(self, value: T) -> None:
        """Replace the value and wake everyone who waits."""
        self._value = value
        self.stir()

    def stir(self) -> None:
        """Wake everyone who waits, although the value is the same: there is something else to look at."""
        self._changed.set()
        self._changed = Event()

    async def values(self) -> AsyncGenerator[T, None]:
        """Yield the value now, and again after each change or `stir`; those in between merge."""
        while True:
            changed = self._changed
            yield self._value
            await changed.wait()

    async def wait_for(self, true: Callable[[T], bool]) -> T:
        """Return the first value for which *true* holds."""
        while not true(self._value):
            await self._changed.wait()
        return self._value
