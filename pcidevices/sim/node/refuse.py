from __future__ import annotations

import contextlib
import os

from collections.abc import Iterator


class Refused(Exception):
    """The kernel says no, with an errno."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


@contextlib.contextmanager
def answers() -> Iterator[None]:
    """At the edge: what the kernel refuses is an OSError for who asked."""
    try:
        yield
    except Refused as refusal:
        raise OSError(refusal.number, str(refusal)) from refusal


class NotSimulatedError(Exception):
    """Linux would do something here that the simulated node does not know how to do."""
