"""`driver_override`: who may have a device, from the next probe on."""

from __future__ import annotations

import errno

import pytest

from tests.contract.sysfs.world import Bus, refused, wait_for


NIC, TWIN, EDU = "0000:00:03.0", "0000:00:04.0", "0000:00:0e.0"


def test_an_override_moves_nothing_and_is_announced_to_nobody(bus: Bus) -> None:
    """The device keeps its driver, and listeners hear nothing."""
    with bus.recording() as recorder:
        bus.override(NIC, "vfio-pci")
        bus.unbind(TWIN)  # a later event that is heard for certain
        wait_for(lambda: recorder.has("unbind", TWIN))

    assert bus.driver(NIC) == "e1000e"
    assert not [event for event in recorder.uevents if event["DEVPATH"].endswith(NIC)]


def test_an_override_is_the_first_line_of_what_is_written(bus: Bus) -> None:
    """Nobody checks that a driver of that name exists."""
    bus.set(NIC, "driver_override", "no such driver\nmore")

    assert bus.read(NIC, "driver_override") == "no such driver"


@pytest.mark.parametrize("nothing", ["\n", "\0", "\nvfio-pci"])
def test_an_empty_line_takes_the_override_away(bus: Bus, nothing: str) -> None:
    bus.override(NIC, "vfio-pci")

    bus.set(NIC, "driver_override", nothing)

    assert bus.read(NIC, "driver_override") == "(null)"


def test_a_write_of_nothing_changes_nothing(bus: Bus) -> None:
    """`echo -n "" > driver_override` does not clear it."""
    bus.override(NIC, "vfio-pci")

    bus.set(NIC, "driver_override", "")

    assert bus.read(NIC, "driver_override") == "vfio-pci"


def test_an_override_has_at_most_4094_bytes(bus: Bus) -> None:
    bus.set(NIC, "driver_override", "x" * 4094)

    with refused(errno.EINVAL):
        bus.set(NIC, "driver_override", "x" * 4095)


def test_an_override_that_names_no_driver_keeps_all_drivers_away(bus: Bus) -> None:
    bus.override(NIC, "none")
    bus.unbind(NIC)

    bus.probe(NIC)

    assert bus.driver(NIC) is None


def test_an_override_is_lost_with_the_device(bus: Bus) -> None:
    """After remove and rescan it is a new device."""
    bus.override(EDU, "vfio-pci")

    bus.set(EDU, "remove", "1")
    assert not bus.is_present(EDU)
    bus.rescan()

    wait_for(lambda: bus.is_present(EDU))
    assert bus.read(EDU, "driver_override") == "(null)"


def test_an_override_waits_for_its_module(bus: Bus) -> None:
    """Without the module the device stays without a driver; whoever loads it later has the device bound at once."""
    bus.world.unload("vfio-pci")
    bus.override(NIC, "vfio-pci")
    bus.unbind(NIC)
    bus.probe(NIC)
    before = bus.driver(NIC)

    bus.world.load("vfio-pci")

    assert before is None
    assert bus.driver(NIC) == "vfio-pci"


def test_dev_vfio_goes_with_the_last_module_that_needs_it(bus: Bus) -> None:
    """Whoever has the folder mounted then has a dead one."""
    container = bus.world.dev / "vfio/vfio"
    bus.world.unload("vfio-pci")
    with_one = container.exists()
    bus.world.unload("vfio_iommu_type1")
    with_none = container.parent.exists()

    bus.world.load("vfio-pci")

    assert with_one
    assert not with_none
    assert container.exists()
