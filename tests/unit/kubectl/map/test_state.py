"""Which state is told."""

from __future__ import annotations

import pytest

from pcidevices.api.v1beta1 import Condition, PCIDeviceStatus
from pcidevices.kubectl.map.palette import BADGES, CARD, INK, INSET, MUTED, NAMED, ON_BADGE, PAGE, Colour
from pcidevices.kubectl.map.state import LEGEND, State, state_of


SEEN = Condition(type="Present", status="True", reason="Seen")


@pytest.mark.parametrize("is_claimed", [False, True])
@pytest.mark.parametrize("present", ["False", "Unknown"])
def test_what_is_not_there_is_gone_whatever_else_holds(present: str, *, is_claimed: bool) -> None:
    lost = Condition(type="Present", status=present, reason="DeviceNotFound")  # type: ignore[arg-type]
    status = PCIDeviceStatus(conditions=(lost,), in_use_by=("a/b",))

    assert state_of(status, is_claimed=is_claimed, is_ready=True, is_needed=True) is State.GONE


def test_an_object_that_nobody_has_looked_at_yet_is_not_gone() -> None:
    assert state_of(PCIDeviceStatus(), is_claimed=False, is_ready=False, is_needed=False) is State.UNCLAIMED


@pytest.mark.parametrize(
    ("is_claimed", "is_ready", "is_needed", "state"),
    [
        (False, False, False, State.UNCLAIMED),
        (False, False, True, State.NEEDED),
        (True, False, True, State.WAITING),
        (True, False, False, State.WAITING),
        (True, True, True, State.READY),
    ],
)
def test_a_claim_matters_more_than_the_host(*, is_claimed: bool, is_ready: bool, is_needed: bool, state: State) -> None:
    seen = PCIDeviceStatus(conditions=(SEEN,))

    assert state_of(seen, is_claimed=is_claimed, is_ready=is_ready, is_needed=is_needed) is state


def test_who_has_the_device_matters_more_than_its_claim() -> None:
    status = PCIDeviceStatus(conditions=(SEEN,), in_use_by=("default/vm",))

    assert state_of(status, is_claimed=True, is_ready=False, is_needed=False) is State.USED


def test_every_state_stands_in_the_legend_once() -> None:
    assert sorted(state.word for state in LEGEND) == sorted(state.word for state in State)
    assert len({state.label for state in State}) == len(State)


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2.2 counts it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", Colour._fields)
def test_every_text_and_glyph_stands_out(scheme: str) -> None:
    pairs = [(text, ground) for text in (INK, MUTED) for ground in (PAGE, CARD, INSET)]
    pairs += [(ON_BADGE, badge) for badge in BADGES.values()]
    pairs += [(badge, CARD) for badge in BADGES.values()]
    weak = [
        (name, found)
        for name, colour in NAMED.items()
        for one, other in pairs
        if colour is one and (found := contrast(getattr(one, scheme), getattr(other, scheme))) < 4.5
    ]

    assert weak == []
