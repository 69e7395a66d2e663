"""Follow a stream of whole lists in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from anyio import Condition, create_task_group, fail_after

from pcidevices.ports import Listing


T = TypeVar("T")

PATIENCE = 10.0


class Following(Generic[T]):
    """All lists that came so far."""

    def __init__(self) -> None:
        self.lists: list[Listing[T]] = []
        self._came = Condition()

    async def until(self, true: Callable[[tuple[T, ...]], bool]) -> Listing[T]:
        """Wait for a list whose items are so; the newest there is counts."""
        with fail_after(PATIENCE):
            async with self._came:
                while not (self.lists and true(self.lists[-1].items)):
                    await self._came.wait()
                return self.lists[-1]

    async def read(self, lists: AsyncIterator[Listing[T]]) -> None:
        async for listed in lists:
            async with self._came:
                self.lists.append(listed)
                self._came.notify_all()


@asynccontextmanager
async def following(lists: AsyncIterator[Listing[T]]) -> AsyncIterator[Following[T]]:
    """Read *lists* for the length of the ``async with`` block."""
    followed: Following[T] = Following()
    async with create_task_group() as tg:
        tg.start_soon(followed.read, lists)
        try:
            yield followed
        finally:
            tg.cancel_scope.cancel()
