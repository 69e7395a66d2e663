"""Which devices go together."""

from __future__ import annotations

import time

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.domain.offer import Offer, OfferedDevice
from pcidevices.domain.preference import prefer
from tests.support.builders import at


def an_offer(**devices: tuple[str | None, int | None]) -> Offer:
    """One device for each ``_04_00_0=(group, NUMA node)``."""
    return Offer(
        "example.com/gpu",
        tuple(
            OfferedDevice(
                address=at("0000:" + ":".join(name[1:].split("_")[:2]) + "." + name[-1]),
                iommu_group=group,
                numa_node=numa_node,
            )
            for name, (group, numa_node) in sorted(devices.items())
        ),
    )


def ids(offer: Offer) -> list[str]:
    return [str(device.address) for device in offer.devices]


def short(chosen: tuple[str, ...]) -> list[str]:
    return [id_.removeprefix("0000:") for id_ in chosen]


def test_a_group_stays_together_even_across_slots() -> None:
    """Two virtual machines cannot share one."""
    offer = an_offer(_01_00_0=("1", 0), _01_00_1=("2", 0), _02_00_0=("2", 0), _03_00_0=("3", 0))

    assert short(prefer(offer, ids(offer), [], 2)) == ["01:00.1", "02:00.0"]


def test_the_functions_of_a_slot_stay_together() -> None:
    offer = an_offer(_01_00_0=("1", 0), _02_00_0=("2", 0), _02_00_1=("3", 0), _03_00_0=("4", 0))

    assert short(prefer(offer, ids(offer), [], 2)) == ["02:00.0", "02:00.1"]


def test_cards_at_one_numa_node_stay_together() -> None:
    offer = an_offer(
        _01_00_0=("1", 0), _02_00_0=("2", 1), _03_00_0=("3", 1), _04_00_0=("4", None), _05_00_0=("5", None)
    )

    assert short(prefer(offer, ids(offer), [], 2)) == ["02:00.0", "03:00.0"]


def test_a_single_device_is_taken_from_where_it_spoils_the_least() -> None:
    """The pair stays whole for who needs two."""
    offer = an_offer(_01_00_0=("1", 0), _01_00_1=("1", 0), _02_00_0=("2", 0))

    assert short(prefer(offer, ids(offer), [], 1)) == ["02:00.0"]


def test_a_group_that_somebody_has_a_part_of_is_left_for_last() -> None:
    """Its other half would be of no use."""
    offer = an_offer(_01_00_0=("1", 0), _01_00_1=("1", 0), _02_00_0=("2", 0), _02_00_1=("2", 0))

    assert short(prefer(offer, ids(offer)[1:], [], 1)) == ["02:00.0"]


def test_what_must_be_included_draws_its_neighbours() -> None:
    offer = an_offer(_01_00_0=("1", 0), _02_00_0=("2", 0), _02_00_1=("2", 0), _03_00_0=("3", 0))

    assert short(prefer(offer, ids(offer), ["0000:02:00.1"], 2)) == ["02:00.0", "02:00.1"]


def test_what_is_not_in_the_offer_comes_last() -> None:
    offer = an_offer(_01_00_0=("1", 0))

    assert prefer(offer, ["a", "b", "0000:01:00.0"], [], 2) == ("0000:01:00.0", "a")


def test_ten_thousand_devices_are_chosen_from_at_once() -> None:
    """The event loop waits for it."""
    devices = tuple(
        OfferedDevice(address=at(f"{d:04x}:{b:02x}:{s:02x}.{f}"), iommu_group=f"{d}-{b}-{s}", numa_node=d % 2)
        for d in range(4)
        for b in range(20)
        for s in range(16)
        for f in range(8)
    )
    offer = Offer("example.com/vf", devices)
    started = time.perf_counter()

    assert len(prefer(offer, ids(offer), [], 5000)) == 5000
    assert time.perf_counter() - started < 5


DEVICES = st.builds(
    lambda bus, slot, function, **rest: OfferedDevice(address=at(f"0000:{bus:02x}:{slot:02x}.{function}"), **rest),
    *(st.integers(0, 3), st.integers(0, 1), st.integers(0, 3)),
    iommu_group=st.sampled_from(["1", "2", "3", "4", None]),
    numa_node=st.sampled_from([0, 1, None]),
)
OFFERS = st.lists(DEVICES, unique_by=lambda device: device.address).map(lambda d: Offer("example.com/gpu", tuple(d)))
IDS = st.sampled_from(["nonsense", "", "0000:00:00.0", "0000:00:00.1", "0000:01:00.0", "0000:01:01.1", "0000:02:00.0"])


@given(OFFERS, st.lists(IDS), st.lists(IDS), st.integers(-(2**31), 2**31 - 1), st.randoms(use_true_random=False))
def test_the_answer_is_sorted_stable_and_never_fails(
    offer: Offer, available: list[str], must: list[str], size: int, random: Any
) -> None:
    """Whatever is asked, in whatever order."""
    chosen = prefer(offer, available, must, size)
    shuffled = list(offer.devices)
    random.shuffle(shuffled)
    random.shuffle(available)

    assert list(chosen) == sorted(set(chosen))
    assert set(must) <= set(chosen) <= {*must, *available}
    assert len(chosen) == max(len(set(must)), min(size, len({*must, *available})))
    assert prefer(Offer(offer.resource_name, tuple(shuffled)), available, must, size) == chosen


@given(OFFERS, st.integers(1, 4))
def test_a_whole_free_group_that_suffices_is_enough(offer: Offer, size: int) -> None:
    """The chosen share a group whenever some group has that many."""
    by_group: dict[str, set[str]] = {}
    for device in offer.devices:
        if device.iommu_group is not None:
            by_group.setdefault(device.iommu_group, set()).add(str(device.address))

    chosen = set(prefer(offer, ids(offer), [], size))

    if size < len(offer.devices) and any(len(members) >= size for members in by_group.values()) and size > 1:
        assert any(chosen <= members for members in by_group.values())
