"""The sign of life of a loop that goes on for ever."""

from __future__ import annotations

import time

from collections.abc import Callable
from math import inf


class Pulse:
    """
    A loop says what is due next, and within how many seconds; whoever asks hears whether that is late.

    Nothing runs meanwhile. A loop that has never said anything has not begun, and is not late. Any thread may ask.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._awaited = ""
        self._due = inf

    def expect(self, awaited: str, *, within: float) -> None:
        """Something is due: *awaited* says what, for a person. What was due before has come."""
        self._awaited = awaited
        self._due = self._clock() + within

    @property
    def late(self) -> str | None:
        """What has not come in time, for a person; None while all is well."""
        seconds = self._clock() - self._due
        return f"{self._awaited} is {seconds:.0f} s late" if seconds > 0 else None
