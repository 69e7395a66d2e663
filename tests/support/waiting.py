"""Wait for a condition of a world that tells nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import current_time, fail_after, sleep


T = TypeVar("T")

PATIENCE = 30.0
_LOOK_EVERY = 0.02
_LOOKS = 10


async def wait_until(true: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Look again and again until it is so."""
    with fail_after(within):
        while not true():  # noqa: ASYNC110
            await sleep(0.01)  # waits: the world in memory has no event for it


async def until(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Ask again and again for as long as the answer is another."""
    end = current_time() + PATIENCE
    while (got := await ask()) != wanted:
        assert current_time() < end, f"it is {got}, and does not become {wanted}"
        await sleep(_LOOK_EVERY)


async def answered(ask: Callable[[], Awaitable[T]], true: Callable[[T], object], *, within: float = PATIENCE) -> T:
    """Ask again and again for an answer that is so; return it."""
    end = current_time() + within
    while not true(got := await ask()):
        assert current_time() < end, f"it is still {got}"
        await sleep(_LOOK_EVERY)
    return got


async def stays(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Ask for a moment; the answer must be the same each time."""
    for _ in range(_LOOKS):
        assert await ask() == wanted
        await sleep(_LOOK_EVERY)
