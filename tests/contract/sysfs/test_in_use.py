"""A virtual machine holds the device: writes hang, and nobody says why."""

from __future__ import annotations

import errno

from tests.contract.sysfs.world import Background, Bus, refused, wait_for


NIC, TWIN = "0000:00:03.0", "0000:00:04.0"


def test_an_unbind_hangs_until_the_release(bus: Bus) -> None:
    """The link to the driver is gone at once, so its absence does not mean that the device is free."""
    bus.to_vfio(NIC)
    group = bus.group(NIC)

    with bus.held(NIC), bus.recording() as recorder:
        write = Background(lambda: bus.unbind(NIC))
        wait_for(lambda: bus.driver(NIC) is None)
        assert write.is_blocked(bus.world.moment)
        assert bus.has_node(group)
        assert not recorder.has("unbind", NIC)
        assert not (bus.folder / "drivers/vfio-pci" / NIC).exists()
        assert bus.read(NIC, "enable") == "1"
        bus.world.release(NIC)
        write.join()
        wait_for(lambda: recorder.has("unbind", NIC))

    assert bus.driver(NIC) is None
    assert not bus.has_node(group)
    assert bus.read(NIC, "enable") == "0"


def test_vfio_dev_tells_of_a_hanging_unbind_on_6_12_alone(bus: Bus) -> None:
    """6.12 removes it before it waits, 6.1 after."""
    bus.to_vfio(NIC)

    with bus.held(NIC), bus.recording() as recorder:
        write = Background(lambda: bus.unbind(NIC))
        wait_for(lambda: bus.driver(NIC) is None)
        if bus.world.is_6_1:
            assert write.is_blocked(bus.world.moment)
            assert recorder.of("vfio-dev") == []
        else:
            wait_for(lambda: recorder.of("vfio-dev") == ["remove vfio0"])
        bus.world.release(NIC)
        write.join()
        wait_for(lambda: recorder.of("vfio-dev") == ["remove vfio0"])


def test_a_probe_meanwhile_succeeds_and_does_nothing(bus: Bus) -> None:
    bus.to_vfio(NIC)

    with bus.held(NIC):
        write = Background(lambda: bus.unbind(NIC))
        wait_for(lambda: bus.driver(NIC) is None)
        bus.probe(NIC)
        assert bus.driver(NIC) is None
        bus.world.release(NIC)
        write.join()


def test_a_new_override_meanwhile_waits_on_6_1_alone(bus: Bus) -> None:
    bus.to_vfio(NIC)

    with bus.held(NIC):
        unbind = Background(lambda: bus.unbind(NIC))
        wait_for(lambda: bus.driver(NIC) is None)
        override = Background(lambda: bus.override(NIC, ""))
        assert override.is_blocked(bus.world.moment) == bus.world.is_6_1
        bus.world.release(NIC)
        unbind.join()
        override.join()

    assert bus.read(NIC, "driver_override") == "(null)"


def test_a_second_unbind_waits_too_and_then_succeeds(bus: Bus) -> None:
    bus.to_vfio(NIC)

    with bus.held(NIC):
        first = Background(lambda: bus.unbind(NIC))
        wait_for(lambda: bus.driver(NIC) is None)
        second = Background(lambda: bus.to_driver("vfio-pci", "unbind", NIC))
        assert second.is_blocked(bus.world.moment)
        bus.world.release(NIC)
        first.join()
        second.join()

    assert bus.driver(NIC) is None


def test_a_bind_that_waits_fires_after_the_release(bus: Bus) -> None:
    """Also when nobody waits for it any more: a write that was given up takes the device later."""
    bus.to_vfio(NIC)

    with bus.held(NIC):
        unbind = Background(lambda: bus.unbind(NIC))
        wait_for(lambda: bus.driver(NIC) is None)
        bind = Background(lambda: bus.bind(NIC, "vfio-pci"))
        assert bind.is_blocked(bus.world.moment)
        bus.world.release(NIC)
        unbind.join()
        bind.join()

    assert bus.driver(NIC) == "vfio-pci"


def test_a_held_device_is_busy_for_a_bind_and_cannot_be_held_twice(bus: Bus) -> None:
    bus.to_vfio(NIC)

    with bus.held(NIC), refused(errno.EBUSY):
        bus.bind(NIC, "vfio-pci")


def test_other_devices_come_and_go_meanwhile(bus: Bus) -> None:
    """A driver's hanging unbind holds nothing but its own device."""
    bus.to_vfio(NIC)

    with bus.held(NIC):
        unbind = Background(lambda: bus.unbind(NIC))
        wait_for(lambda: bus.driver(NIC) is None)
        bus.to_vfio(TWIN)
        bus.give_back(TWIN, "e1000e")
        bus.rescan()
        bus.world.release(NIC)
        unbind.join()


def test_users_of_the_module_are_counted(bus: Bus) -> None:
    count = bus.world.sysfs / "module/vfio_pci/refcnt"
    bus.to_vfio(NIC)
    before = count.read_text()

    with bus.held(NIC):
        assert (before, count.read_text()) == ("0\n", "1\n")
