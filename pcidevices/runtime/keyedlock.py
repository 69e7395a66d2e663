"""One lock for each key, for as long as somebody wants it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from anyio import Lock


K = TypeVar("K", bound=Hashable)


class KeyedLock(Generic[K]):
    """Lets one at a time in for each key, in the order of arrival; different keys do not wait for each other."""

    def __init__(self) -> None:
        self._locks: dict[K, Lock] = {}
        self._wanted: Counter[K] = Counter()

    @asynccontextmanager
    async def of(self, key: K) -> AsyncIterator[None]:
        """Wait for *key*, and keep it for the length of the ``async with`` block."""
        lock = self._locks.setdefault(key, Lock())
        self._wanted[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key], self._locks[key]
