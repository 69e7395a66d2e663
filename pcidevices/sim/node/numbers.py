from __future__ import annotations

import itertools


class Numbers:
    """Numbers that are given out lowest first and taken back."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self) -> int:
        number = next(number for number in itertools.count() if number not in self._taken)
        self._taken.add(number)
        return number

    def give_back(self, number: int) -> None:
        self._taken.remove(number)
