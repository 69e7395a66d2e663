"""Somebody knows, others want to know, and neither knows the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar


T = TypeVar("T")


class Bell(Generic[T]):
    """Rung with a value: everything that was left to be called is called with it, in that order, at once."""

    def __init__(self) -> None:
        self._calls: list[Callable[[T], object]] = []

    def call(self, call: Callable[[T], object]) -> None:
        """Have *call* called each time, from now on."""
        self._calls.append(call)

    def ring(self, value: T) -> None:
        for call in self._calls:
            call(value)
