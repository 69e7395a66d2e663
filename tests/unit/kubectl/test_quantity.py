"""Amounts of devices are read in every form in which Kubernetes writes them."""

from __future__ import annotations

import pytest

from pcidevices.kubectl.quantity import count


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("12", 12), ("2k", 2000), ("1500", 1500), ("1Ki", 1024), ("3e3", 3000), ("2E3", 2000), ("1E", 10**18),
     ("1500m", 1), ("1.5k", 1500), (7, 7)],
)  # fmt: skip
def test_a_quantity_is_so_many_whole_things(text: object, number: int) -> None:
    assert count(text) == number


@pytest.mark.parametrize("text", ["", "many", "5x", "k", "nan", "inf", "1 k", "--1"])
def test_what_is_no_quantity_is_no_number(text: str) -> None:
    assert count(text) is None
