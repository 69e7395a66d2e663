"""Ages, as kubectl writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pcidevices.sim.apiserver.values import age, clone


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "5s"),
        (119, "119s"),
        (150, "2m30s"),
        (540, "9m"),
        (3600, "60m"),
        (4 * 3600 + 120, "4h2m"),
        (30 * 3600, "30h"),
        (3 * 86400 + 3600, "3d1h"),
        (100 * 86400, "100d"),
        (800 * 86400, "2y"),
        (-5, "0s"),
    ],
)
def test_an_age_is_short(seconds: int, text: str) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=seconds + 0.5 if seconds > 0 else seconds)

    assert age(moment.isoformat().replace("+00:00", "Z")) == text


@pytest.mark.parametrize("nonsense", [None, "", "yesterday", 5])
def test_what_is_no_time_has_no_age(nonsense: object) -> None:
    assert age(nonsense) == "<unknown>"


def test_a_clone_shares_nothing() -> None:
    original = {"a": [{"b": 1}]}
    copy = clone(original)
    copy["a"][0]["b"] = 2

    assert original == {"a": [{"b": 1}]}
