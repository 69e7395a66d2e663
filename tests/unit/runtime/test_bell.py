"""Who wants to know is told by who knows."""

from __future__ import annotations

from pcidevices.runtime.bell import Bell


def test_all_that_want_to_know_are_told_each_time() -> None:
    bell: Bell[int] = Bell()
    bell.ring(0)
    first: list[int] = []
    second: list[int] = []
    bell.call(first.append)
    bell.ring(1)
    bell.call(second.append)
    bell.ring(2)

    assert (first, second) == ([1, 2], [2])
