"""Many hints, one look."""

from __future__ import annotations

from anyio import Event, current_time, move_on_after


_TICK = 0.0001


class Debounce:
    """
    Collects hints until they pause, so that a burst of them costs one look.

    `wait` returns *quiet* seconds after the last hint, but at the latest *limit* seconds after the
    first: a source that never stops must not starve the look. What arrives later is the next round's.
    """

    def __init__(self, *, quiet: float, limit: float) -> None:
        self._quiet = quiet
        self._limit = limit
        self._hints: dict[str, int] = {}
        self._stirred = Event()
        self._first = self._last = 0.0

    def hint(self, source: str) -> None:
        """Something may have changed; *source* says who thinks so (for the log, not for the decision)."""
        self._last = current_time()
        if not self._hints:
            self._first = self._last
        self._hints[source] = self._hints.get(source, 0) + 1
        self._stirred.set()

    async def wait(self) -> dict[str, int]:
        """Wait for a burst of hints to end; return how many came from each source."""
        while not self._hints:
            await self._next()
        while (left := self._due - current_time()) > _TICK:
            with move_on_after(left):
                await self._next()
        hints, self._hints = self._hints, {}
        return hints

    @property
    def _due(self) -> float:
        return min(self._last + self._quiet, self._first + self._limit)

    async def _next(self) -> None:
        self._stirred = Event()
        await self._stirred.wait()
