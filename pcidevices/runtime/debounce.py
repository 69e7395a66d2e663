"""Many hints, one look."""

from __future__ import annotations

from anyio import Event, current_time, move_on_after


_TICK = 0.0001


class Debounce:
    """
    Collects hints until they pause, so that a burst of them costs one look.

    `wait` returns *quiet* seconds after the last hint, but at the latest *limit* seconds after the
    first: a source that never stops must not starve the look. What arrives later is the next round's.
    Who knows that nothing more is coming ends the burst at once (`end`), if the last one was *quiet* seconds ago.
    """

    def __init__(self, *, quiet: float, limit: float) -> None:
        self._quiet = quiet
        self._limit = limit
        self._hints: dict[str, int] = {}
        self._stirred = Event()
        self._first = self._last = 0.0
        self._looked = -quiet
        self._is_over = False

    def hint(self, source: str) -> None:
        """Something may have changed; *source* says who thinks so (for the log, not for the decision)."""
        self._last = current_time()
        if not self._hints:
            self._first = self._last
        self._hints[source] = self._hints.get(source, 0) + 1
        self._stirred.set()

    def end(self, source: str) -> None:
        """A hint after which there are no others."""
        self.hint(source)
        self._is_over = True

    async def wait(self) -> dict[str, int]:
        """Wait for a burst of hints to end; return how many came from each source."""
        while not self._hints:
            await self._next()
        while (left := self._due - current_time()) > _TICK:
            with move_on_after(left):
                await self._next()
        hints, self._hints = self._hints, {}
        self._looked, self._is_over = current_time(), False
        return hints

    @property
    def _due(self) -> float:
        rest = self._looked if self._is_over else self._last
        return min(rest + self._quiet, self._first + self._limit)

    async def _next(self) -> None:
        self._stirred = Event()
        await self._stirred.wait()
