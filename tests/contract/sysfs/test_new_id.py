"""`new_id` gives a driver all devices of an id: the wrong tool for claiming one."""

from __future__ import annotations

import contextlib
import errno

from collections.abc import Iterator

import pytest

from tests.contract.sysfs.world import Bus, refused


EDU, OLD_EDU, IDS = "0000:00:0e.0", "0000:01:02.0", "1234 11e8"


@pytest.fixture
def known(bus: Bus) -> Iterator[None]:
    """vfio-pci knows the id until the end of the test."""
    bus.to_driver("vfio-pci", "new_id", IDS)
    yield
    with contextlib.suppress(OSError):
        bus.to_driver("vfio-pci", "remove_id", IDS)


@pytest.mark.usefixtures("known")
def test_a_new_id_takes_every_device_of_that_id_without_driver(bus: Bus) -> None:
    assert [bus.driver(address) for address in (EDU, OLD_EDU)] == ["vfio-pci", "vfio-pci"]


@pytest.mark.usefixtures("known")
def test_a_known_id_exists(bus: Bus) -> None:
    with refused(errno.EEXIST):
        bus.to_driver("vfio-pci", "new_id", IDS)


def test_the_own_ids_of_a_driver_exist(bus: Bus) -> None:
    with refused(errno.EEXIST):
        bus.to_driver("e1000e", "new_id", "8086 10d3")


@pytest.mark.usefixtures("known")
def test_removing_an_id_unbinds_nothing(bus: Bus) -> None:
    bus.to_driver("vfio-pci", "remove_id", IDS)

    assert bus.driver(EDU) == "vfio-pci"


def test_an_unknown_id_cannot_be_removed(bus: Bus) -> None:
    with refused(errno.ENODEV):
        bus.to_driver("vfio-pci", "remove_id", "1234 11e9")


@pytest.mark.parametrize("text", ["zz", "1234", "1234:11e8"])
def test_an_id_is_two_hexadecimal_numbers(bus: Bus, text: str) -> None:
    with refused(errno.EINVAL):
        bus.to_driver("vfio-pci", "new_id", text)
