"""Wait for a condition of a world that tells nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from anyio import current_time, sleep


PATIENCE = 30.0
_LOOK_EVERY = 0.02
_LOOKS = 10


async def until(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Ask again and again for as long as the answer is another."""
    end = current_time() + PATIENCE
    while (got := await ask()) != wanted:
        assert current_time() < end, f"it is {got}, and does not become {wanted}"
        await sleep(_LOOK_EVERY)


async def stays(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Ask for a moment; the answer must be the same each time."""
    for _ in range(_LOOKS):
        assert await ask() == wanted
        await sleep(_LOOK_EVERY)
