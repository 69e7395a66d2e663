from __future__ import annotations

import threading

from collections.abc import Callable
from types import TracebackType


class BigLock:
    """One thread is in the simulated kernel at a time; who sleeps there lets the others in."""

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.RLock())
        self._sleepers: set[int] = set()

    def __enter__(self) -> None:
        self._condition.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._condition.release()

    def sleep_until(self, awaited: Callable[[], bool]) -> None:
        if awaited():
            return
        me = threading.get_ident()
        self._sleepers.add(me)
        self._condition.notify_all()
        try:
            self._condition.wait_for(awaited)
        finally:
            self._sleepers.discard(me)

    def wake(self) -> None:
        """Let the sleepers look again at what they wait for."""
        self._condition.notify_all()

    def is_asleep(self, thread: threading.Thread) -> bool:
        return thread.ident in self._sleepers


class Mutex:
    """A lock of the kernel that is slept on: a device's own, or the one of hot-plug. Its owner may take it again."""

    def __init__(self, big_lock: BigLock) -> None:
        self._big_lock = big_lock
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        me = threading.get_ident()
        self._big_lock.sleep_until(lambda: self._owner in (None, me))
        self._owner = me
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._big_lock.wake()


class Workers:
    """The kernel's own threads."""

    def __init__(self, big_lock: BigLock) -> None:
        self._big_lock = big_lock
        self._threads: list[threading.Thread] = []

    def run(self, work: Callable[[], None]) -> None:
        """Do *work*; come back when it is done, or as soon as it sleeps. The caller is in the kernel."""
        done = threading.Event()
        failures: list[Exception] = []

        def body() -> None:
            with self._big_lock:
                try:
                    work()
                except Exception as error:  # noqa: BLE001 - raised below, where the caller still waits
                    failures.append(error)
                finally:
                    done.set()
                    self._big_lock.wake()

        thread = threading.Thread(target=body, name="kworker", daemon=True)
        self._threads = [*(other for other in self._threads if other.is_alive()), thread]
        thread.start()
        self._big_lock.sleep_until(lambda: done.is_set() or self._big_lock.is_asleep(thread))
        if failures:
            raise failures[0]

    def join(self) -> None:
        """Wait for all of them to end. The caller is not in the kernel."""
        for thread in self._threads:
            thread.join()
