"""A loop that does not get on is told apart from one that waits."""

from __future__ import annotations

from pcidevices.runtime.pulse import Pulse


class Clock:
    """Moves when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_has_not_begun_is_not_late() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += 1e6

    assert pulse.late is None


def test_what_is_not_due_yet_is_not_late() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.expect("the end of a scan", within=10)
    clock.now += 9

    assert pulse.late is None


def test_what_has_not_come_in_time_is_told_by_name() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.expect("the end of a scan", within=10)
    clock.now += 22

    assert pulse.late == "the end of a scan is 12 s late"


def test_the_next_sign_of_life_makes_it_well_again() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.expect("the end of a scan", within=10)
    clock.now += 22
    pulse.expect("the next scan", within=600)

    assert pulse.late is None
