from __future__ import annotations

import itertools
import threading

from collections.abc import Callable, Mapping


Uevent = Mapping[str, str]
Callback = Callable[[Uevent], object]


class Uevents:
    """
    The kernel's announcements, in order.

    A subscriber is called by whoever wrote or plugged, while the kernel stands still: it may read files, must
    not wait, and must not write.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1200)
        self._subscribers: list[Callback] = []
        self._lock = threading.Lock()

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers.remove(callback)

        return unsubscribe

    def emit(self, action: str, path: str, subsystem: str, /, **properties: str | int) -> None:
        uevent = {"ACTION": action, "DEVPATH": path, "SUBSYSTEM": subsystem}
        uevent |= {key: str(value) for key, value in properties.items()}
        uevent["SEQNUM"] = str(next(self._numbers))
        with self._lock:
            subscribers = tuple(self._subscribers)
        for callback in subscribers:
            callback(uevent)
