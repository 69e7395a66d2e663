"""Calls that may hang for ever, on threads that nobody waits for."""

from __future__ import annotations

import threading
import time

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from anyio import current_time, sleep


K = TypeVar("K")
V = TypeVar("V")

_POLL = 0.005


class Expendable(Generic[K, V]):
    """
    Calls ``call(key)`` once for each key asked for, one after another, off the event loop.

    A call that takes longer than *timeout* seconds is given up together with its thread: the key is
    `stuck` until the call returns after all, and a new thread goes on with the others. At most
    *limit* threads are given up like that; then nothing more is called until one returns. Threads
    are daemons: one that the kernel holds cannot keep the process from ending.

    *on_late* is called, from the thread, when a result came although its call had been given up.
    """

    def __init__(
        self,
        call: Callable[[K], V],
        *,
        timeout: float,
        limit: int = 8,
        on_late: Callable[[], object] = lambda: None,
    ) -> None:
        self._call = call
        self._timeout = timeout
        self._limit = limit
        self._on_late = on_late
        self._lock = threading.Lock()
        self._asked: deque[K] = deque()
        self._wanted: frozenset[K] = frozenset()
        self._current: tuple[K, float] | None = None
        self._generation = 0
        self._stuck: set[K] = set()
        self._results: dict[K, V] = {}

    @property
    def results(self) -> dict[K, V]:
        """What has been found so far, for every key not forgotten."""
        with self._lock:
            return dict(self._results)

    @property
    def stuck(self) -> frozenset[K]:
        """Keys whose call has not returned in time, nor since."""
        with self._lock:
            return frozenset(self._stuck)

    @property
    def busy(self) -> bool:
        """There is something left to call that may still be called."""
        with self._lock:
            return self._current is not None or (bool(self._asked) and len(self._stuck) < self._limit)

    def ask(self, keys: Iterable[K]) -> None:
        """Have *keys* looked at, unless they were already; forget all others."""
        keys = list(keys)
        with self._lock:
            self._wanted = frozenset(keys)
            for gone in self._results.keys() - self._wanted:
                del self._results[gone]
            under_way = self._current[0] if self._current else None
            self._asked = deque(
                key for key in keys if key not in self._results and key not in self._stuck and key != under_way
            )
            self._give_up_if_late()
            self._ensure_thread()

    async def settle(self, within: float) -> None:
        """Return as soon as everything asked for is known, at the latest after *within* seconds."""
        deadline = current_time() + within
        while self.busy and current_time() < deadline:
            await sleep(_POLL)
            with self._lock:
                self._give_up_if_late()
                self._ensure_thread()

    def _give_up_if_late(self) -> None:
        if self._current is not None and time.monotonic() - self._current[1] > self._timeout:
            self._stuck.add(self._current[0])
            self._current = None
            self._generation += 1

    def _ensure_thread(self) -> None:
        if self._asked and self._current is None and len(self._stuck) < self._limit:
            self._current = self._asked.popleft(), time.monotonic()
            threading.Thread(target=self._run, args=(self._generation,), daemon=True, name="expendable").start()

    def _run(self, generation: int) -> None:
        while True:
            with self._lock:
                if generation != self._generation or self._current is None:
                    return
                key = self._current[0]
            value = self._call(key)
            with self._lock:
                if key in self._wanted:
                    self._results[key] = value
                if generation != self._generation:
                    self._stuck.discard(key)
                    break
                self._current = (self._asked.popleft(), time.monotonic()) if self._asked else None
                if self._current is None:
                    return  # whoever asks next starts another thread
        self._on_late()
