"""How long to wait before the next try."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.runtime.backoff import Backoff


@given(st.integers(0, 10_000))
def test_a_wait_is_between_half_and_all_of_a_doubling_delay(failures: int) -> None:
    whole = min(0.25 * 2 ** min(failures, 100), 60.0)

    assert whole / 2 <= Backoff(first=0.25, limit=60.0)(failures) <= whole


def test_two_nodes_do_not_come_back_at_the_same_moment() -> None:
    backoff = Backoff(first=1.0, limit=60.0)

    assert len({backoff(10) for _ in range(20)}) > 1
