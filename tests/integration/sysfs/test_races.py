"""Scans of hardware that does not hold still."""

from __future__ import annotations

import random
import threading

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pcidevices.adapters.sysfs.scan import scan
from pcidevices.domain.device import PciDevice
from tests.support.sysfs_tree import NIC, Card, SysfsTree, several


SLOTS = tuple(f"0000:04:{slot:02x}.0" for slot in range(4))
DRIVERS = {"aaaa": "driver_a", "bbbb": "driver_b"}
CARDS = tuple(
    Card(
        ids=f"{x}:{x}",
        class_code=(x * 2)[:6],
        revision=x[:2],
        subsystem=f"{x}:{x}",
        numa=number,
        total_vfs=number + 1,
    )
    for number, x in enumerate(DRIVERS)
)


@contextmanager
def plugging(tree: SysfsTree, seed: int) -> Iterator[None]:
    """A thread that plugs and unplugs two kinds of cards, as fast as it can."""
    done = threading.Event()
    failed: list[BaseException] = []

    def plug() -> None:
        chance = random.Random(seed)
        plugged: set[str] = set()
        try:
            while not done.is_set():
                slot = chance.choice(SLOTS)
                if slot in plugged:
                    tree.unplug(slot)
                    plugged.remove(slot)
                else:
                    number = chance.randrange(2)
                    driver = DRIVERS[CARDS[number].ids[:4]] if chance.random() < 0.5 else None
                    tree.plug(slot, CARDS[number], driver=driver, group=number)
                    plugged.add(slot)
        except BaseException as error:  # noqa: BLE001  told below
            failed.append(error)

    thread = threading.Thread(target=plug)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert not failed


def scans_of(tree: SysfsTree, seed: int, count: int = 300) -> Iterator[PciDevice]:
    """The devices of many scans while cards come and go."""
    tree.plug("0000:01:00.0", NIC)
    with plugging(tree, seed):
        for _ in range(count):
            found = scan(tree.root).scan
            assert found.unreadable == ()
            assert "0000:01:00.0" in {str(device.address) for device in found.devices}
            yield from (device for device in found.devices if str(device.address) in SLOTS)


@pytest.mark.parametrize("seed", range(2))
def test_no_device_is_a_mixture_of_two(tree: SysfsTree, seed: int) -> None:
    seen = 0
    for device in scans_of(tree, seed):
        x = device.vendor
        number = list(DRIVERS).index(x)
        assert (device.device, device.class_code) == (x, (x * 2)[:6])
        assert device.revision in {x[:2], None}
        assert device.subsystem in {f"{x}:{x}", None}
        assert device.numa_node in {number, None}
        assert device.driver in {DRIVERS[x], None}
        assert device.iommu_group in {str(number), None}
        seen += 1

    assert seen


@pytest.mark.parametrize("seed", range(2))
def test_a_device_that_vanishes_while_it_is_read_is_left_out(tree: SysfsTree, seed: int) -> None:
    """Not told half: what a card says of itself is there from before its link to after it."""
    for device in scans_of(tree, seed):
        assert None not in (device.revision, device.subsystem, device.numa_node, device.sriov)


def test_a_group_has_no_members_that_are_not_there(tree: SysfsTree) -> None:
    tree.plug("0000:01:00.0", NIC)
    with plugging(tree, seed=0):
        for _ in range(600):
            found = scan(tree.root).scan
            there = {device.address for device in found.devices}
            assert all(there.issuperset(device.iommu_group_members) for device in found.devices)


def test_a_thousand_functions_are_scanned_like_one(tree: SysfsTree) -> None:
    cards = several(NIC, 1000)
    for number, (address, card) in enumerate(cards):
        tree.plug(address, card, driver="e1000e", group=number // 8)

    found = scan(tree.root)
    assert found.scan.unreadable == ()
    assert [(str(d.address), d.revision) for d in found.scan.devices] == [(a, c.revision) for a, c in sorted(cards)]
    assert {len(device.iommu_group_members) for device in found.scan.devices} == {8}
    assert len(set(found.lives.values())) == 1000
