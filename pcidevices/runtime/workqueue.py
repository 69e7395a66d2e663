"""A queue of keys to look at again: deduplicated, delayed, never twice at once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from math import inf
from typing import Generic, TypeVar

from anyio import Event, Lock, current_time, lowlevel, move_on_after


K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """
    Three promises, as in client-go's ``util/workqueue``.

    - a key added many times before it is taken is taken once;
    - a key is never handed to two workers at the same time;
    - a key added while it is being worked on is handed out again afterwards.

    And one of ``util/workqueue``'s rate limiter: each key has a delay of its own, that grows
    with every `retry` until `forget`.
    """

    def __init__(self, backoff: Callable[[int], float], *, waited: Callable[[float], object] = lambda _: None) -> None:
        """*waited* is told, of each key that is taken, for how many seconds it could have been."""
        self._backoff = backoff
        self._waited = waited
        self._ready: deque[tuple[K, float]] = deque()
        self._dirty: set[K] = set()
        self._active: set[K] = set()
        self._due: dict[K, float] = {}
        self._failures: Counter[K] = Counter()
        self._line = Lock(fast_acquire=True)
        """Of those that wait for a key, only the first watches: an added key wakes one worker, not all."""
        self._stirred = Event()

    def __len__(self) -> int:
        """How many keys wait to be taken now; delayed ones are not counted."""
        return len(self._ready)

    @property
    def delayed(self) -> int:
        """How many keys are due later."""
        return len(self._due)

    def add(self, key: K) -> None:
        """Hand *key* out as soon as may be; a delay it may have ends."""
        self._admit(key, current_time())

    def add_after(self, key: K, delay: float) -> None:
        """Add *key* once *delay* seconds have passed; the earliest wish wins."""
        self._due[key] = min(self._due.get(key, inf), current_time() + delay)
        self._stirred.set()

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Add *key* again after its own growing delay, or *at_least* that many seconds; return the delay."""
        delay = max(self._backoff(self._failures[key]), at_least)
        self._failures[key] += 1
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Start *key*'s delays from the beginning again."""
        del self._failures[key]

    @asynccontextmanager
    async def take(self) -> AsyncIterator[K]:
        """Wait for a key, and keep it for the length of the ``async with`` block."""
        key = await self._next()
        self._dirty.discard(key)
        self._active.add(key)
        try:
            yield key
        finally:
            self._active.discard(key)
            if key in self._dirty:
                self._push(key, current_time())

    async def _next(self) -> K:
        await lowlevel.checkpoint()  # a worker that never runs dry lets others run, and can be cancelled
        self._admit_due()
        if not self._ready:
            async with self._line:
                await self._until_ready()
        key, since = self._ready.popleft()
        self._waited(current_time() - since)
        return key

    async def _until_ready(self) -> None:
        self._admit_due()
        while not self._ready:
            self._stirred = Event() if self._stirred.is_set() else self._stirred
            with move_on_after(min(self._due.values(), default=inf) - current_time()):
                await self._stirred.wait()
            self._admit_due()

    def _admit_due(self) -> None:
        now = current_time()
        for key, due in [(key, due) for key, due in self._due.items() if due <= now]:
            self._admit(key, due)

    def _admit(self, key: K, since: float) -> None:
        self._due.pop(key, None)
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._active:
            self._push(key, since)

    def _push(self, key: K, since: float) -> None:
        self._ready.append((key, since))
        self._stirred.set()
