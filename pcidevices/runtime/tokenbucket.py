"""No more than so many requests a second."""

from __future__ import annotations

from anyio import Lock, current_time, sleep


_TICK = 0.0001


class TokenBucket:
    """
    Lets a burst of *burst* through, then *rate* a second; the order of those who wait is kept.

    The same shape as client-go's ``flowcontrol`` (QPS and burst). `pause` holds everyone up for
    a while, as when the server asked for it.
    """

    def __init__(self, *, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        # The moment at which the bucket would be full again if nobody took anything.
        self._full_at = float("-inf")
        self._paused_until = float("-inf")
        self._door = Lock()

    async def take(self) -> None:
        """Wait for a token. Whoever is cancelled has taken none."""
        async with self._door:  # one at a time, in the order they came
            before, self._full_at = self._full_at, max(self._full_at, current_time()) + 1 / self._rate
            try:
                while (wait := self._ready_at - current_time()) > _TICK:  # noqa: ASYNC110  time passes
                    await sleep(wait)
            except BaseException:
                self._full_at = before
                raise

    @property
    def _ready_at(self) -> float:
        return max(self._full_at - self._burst / self._rate, self._paused_until)

    def pause(self, seconds: float) -> None:
        """Hand out nothing for *seconds*."""
        self._paused_until = max(self._paused_until, current_time() + seconds)
