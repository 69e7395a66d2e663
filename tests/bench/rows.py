"""A table of rows that print themselves as they come."""

from __future__ import annotations

import statistics
import time

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """Ours and a rival's figure, in the same unit."""

    what: str
    unit: str
    ours: float
    rival: float
    rival_is: str
    goal: str

    def __str__(self) -> str:
        ratio = self.ours / self.rival
        figures = f"{self.ours:9.3f} {self.unit:3}   {self.rival:9.3f} {self.unit:3}   {ratio:6.3f}"
        return f"{self.what:48} {figures}   {self.rival_is:44} {self.goal}"


HEAD = f"{'what':48} {'ours':>13}   {'rival':>13}   {'ratio':>6}   {'rival is':44} goal"


def median_seconds(call: Callable[[], object], times: int = 9) -> float:
    """The median time of a call."""
    measured: list[float] = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        measured.append(time.perf_counter() - begun)
    return statistics.median(measured)
