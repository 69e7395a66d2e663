"""Serial numbers."""

from __future__ import annotations

import os

from dataclasses import replace

import pytest

from pcidevices.adapters.sysfs.slow import serial_of
from tests.support.sysfs_tree import NIC, NVME, SysfsTree


ADDRESS = "0000:04:00.0"


def test_a_device_tells_its_own_serial_number(tree: SysfsTree) -> None:
    folder = tree.plug(ADDRESS, replace(NIC, attributes={"serial_number": "00-1b-21-ff-ff-6a-2b-3c\n"}))

    assert serial_of(folder) == "00-1b-21-ff-ff-6a-2b-3c"


def test_an_nvme_controller_tells_its_serial_number_without_its_padding(tree: SysfsTree) -> None:
    folder = tree.plug(ADDRESS, NVME)
    tree.nvme(ADDRESS, "nvme0", serial="S4EUNJ0N123456")

    assert serial_of(folder) == "S4EUNJ0N123456"


def test_the_devices_own_serial_number_comes_before_its_drivers(tree: SysfsTree) -> None:
    folder = tree.plug(ADDRESS, replace(NVME, attributes={"serial_number": "own\n"}))
    tree.nvme(ADDRESS, "nvme0", serial="drivers")

    assert serial_of(folder) == "own"


def test_an_empty_serial_number_is_none_told(tree: SysfsTree) -> None:
    folder = tree.plug(ADDRESS, replace(NVME, attributes={"serial_number": "\n"}))
    tree.nvme(ADDRESS, "nvme0", serial="S4EUNJ0N123456")

    assert serial_of(folder) == "S4EUNJ0N123456"


def test_a_device_without_a_serial_number_has_none(tree: SysfsTree) -> None:
    assert serial_of(tree.plug(ADDRESS)) is None


def test_a_device_that_is_gone_has_none(tree: SysfsTree) -> None:
    assert serial_of(tree.bus / ADDRESS) is None


@pytest.mark.parametrize("name", ["serial_number", "nvme"])
def test_a_fifo_in_its_place_holds_nobody_up(tree: SysfsTree, name: str) -> None:
    folder = tree.plug(ADDRESS)
    os.mkfifo(folder / name)

    assert serial_of(folder) is None


@pytest.mark.parametrize("content", ["", "\0\n", "\x01\x02\n", "x" * 100_000])
def test_a_serial_number_that_makes_no_sense_breaks_nothing(tree: SysfsTree, content: str) -> None:
    folder = tree.plug(ADDRESS, replace(NIC, attributes={"serial_number": content}))

    assert len(serial_of(folder) or "") <= 4096
