"""Virtual functions: they are the physical one's driver's, and go with it."""

from __future__ import annotations

import errno

from tests.contract.sysfs.world import Background, Bus, refused, wait_for


PF, FIRST, SECOND = "0000:04:00.0", "0000:04:10.0", "0000:04:10.2"
OTHER_PF = "0000:05:00.0"


def test_virtual_functions_appear_at_offset_and_stride(bus: Bus) -> None:
    """With links to and fro, ids of their own, and each in a group of its own."""
    bus.set(PF, "sriov_numvfs", "2")

    assert bus.read(PF, "sriov_numvfs") == "2"
    assert [(bus.device(PF) / f"virtfn{n}").readlink().name for n in (0, 1)] == [FIRST, SECOND]
    assert (bus.device(FIRST) / "physfn").readlink().name == PF
    assert (bus.read(FIRST, "vendor"), bus.read(FIRST, "device")) == ("0x8086", "0x10ca")
    assert len({bus.group(address) for address in (PF, FIRST, SECOND)}) == 3
    assert not (bus.device(FIRST) / "remove").exists()


def test_a_virtual_function_goes_to_vfio_and_leaves_the_physical_one_alone(bus: Bus) -> None:
    bus.set(PF, "sriov_numvfs", "2")

    bus.to_vfio(FIRST)

    assert [bus.driver(address) for address in (PF, FIRST, SECOND)] == ["igb", "vfio-pci", "igbvf"]


def test_virtual_functions_are_announced_and_then_the_change_of_the_physical_one(bus: Bus) -> None:
    with bus.recording() as recorder:
        bus.set(PF, "sriov_numvfs", "1")
        wait_for(lambda: recorder.has("change", PF))
        bus.set(PF, "sriov_numvfs", "0")
        wait_for(lambda: recorder.has("remove", FIRST))

    came = [f"add {FIRST}", f"change {FIRST}", f"bind {FIRST}", f"change {PF}"]
    assert recorder.of("pci") == [*came, f"unbind {FIRST}", f"remove {FIRST}"]


def test_their_number_changes_by_way_of_zero_alone(bus: Bus) -> None:
    """From two: another number is busy, too many is out of range, no number is invalid, and two is fine."""
    bus.set(PF, "sriov_numvfs", "2")

    for text in ("1", "3", "7"):
        with refused(errno.EBUSY):
            bus.set(PF, "sriov_numvfs", text)
    for text in ("8", "65535"):
        with refused(errno.ERANGE):
            bus.set(PF, "sriov_numvfs", text)
    for text in ("x", "-1", "2 ", "65536"):
        with refused(errno.EINVAL):
            bus.set(PF, "sriov_numvfs", text)
    for text in ("2", "0x2", "2\n", ""):
        bus.set(PF, "sriov_numvfs", text)
    assert bus.is_present(SECOND)


def test_without_its_host_driver_a_physical_function_has_no_virtual_ones(bus: Bus) -> None:
    """Not on vfio-pci, and not without a driver; zero is the number that it has."""
    bus.unbind(PF)
    with refused(errno.ENOENT):
        bus.set(PF, "sriov_numvfs", "1")
    bus.set(PF, "sriov_numvfs", "0")

    bus.to_vfio(PF)
    with refused(errno.ENOENT):
        bus.set(PF, "sriov_numvfs", "1")


def test_a_driver_may_allow_fewer_than_there_are(bus: Bus) -> None:
    with_driver = bus.read(PF, "sriov_totalvfs")

    bus.unbind(PF)

    assert (with_driver, bus.read(PF, "sriov_totalvfs")) == ("7", "8")


def test_virtual_functions_go_with_the_driver_of_the_physical_one(bus: Bus) -> None:
    """Also those on vfio-pci; after the give back there are none."""
    bus.set(PF, "sriov_numvfs", "2")
    bus.to_vfio(FIRST)

    bus.unbind(PF)
    present = [bus.is_present(address) for address in (FIRST, SECOND)]
    bus.probe(PF)

    assert present == [False, False]
    assert bus.driver(PF) == "igb"
    assert bus.read(PF, "sriov_numvfs") == "0"


def test_sriov_drivers_autoprobe_keeps_host_drivers_off(bus: Bus) -> None:
    """Against a probe and a bind too; vfio-pci by override is let through."""
    bus.set(PF, "sriov_drivers_autoprobe", "0")
    try:
        bus.set(PF, "sriov_numvfs", "1")
        bus.probe(FIRST)
        alone = bus.driver(FIRST)
        with refused(errno.ENODEV):
            bus.bind(FIRST, "igbvf")
        bus.to_vfio(FIRST)
    finally:
        bus.set(PF, "sriov_drivers_autoprobe", "1")

    assert alone is None


def test_a_new_virtual_function_has_no_override(bus: Bus) -> None:
    bus.set(PF, "sriov_numvfs", "1")
    bus.to_vfio(FIRST)

    bus.set(PF, "sriov_numvfs", "0")
    bus.set(PF, "sriov_numvfs", "1")

    assert bus.read(FIRST, "driver_override") == "(null)"
    assert bus.driver(FIRST) == "igbvf"


def test_removing_a_held_virtual_function_hangs_and_stops_all_hot_plug(bus: Bus) -> None:
    """The links between the two are gone at once: it looks like any device without driver."""
    bus.set(PF, "sriov_numvfs", "1")
    bus.to_vfio(FIRST)

    with bus.held(FIRST):
        write = Background(lambda: bus.set(PF, "sriov_numvfs", "0"))
        wait_for(lambda: bus.driver(FIRST) is None)
        assert write.is_blocked(bus.world.moment)
        assert not (bus.device(FIRST) / "physfn").exists()
        assert not (bus.device(PF) / "virtfn0").exists()
        others = [Background(bus.rescan), Background(lambda: bus.set(OTHER_PF, "sriov_numvfs", "1"))]
        assert all(other.is_blocked(bus.world.moment) for other in others)
        bus.world.release(FIRST)
        write.join()
        for other in others:
            other.join()

    assert not bus.is_present(FIRST)
