"""IOMMU groups: who shares one, and what that forbids."""

from __future__ import annotations

import errno

from tests.contract.sysfs.world import Bus, refused


NIC, TWIN = "0000:00:03.0", "0000:00:04.0"
GPU, AUDIO = "0000:07:00.0", "0000:07:00.1"
BRIDGE, OLD_NIC, OLD_EDU = "0000:00:06.0", "0000:01:01.0", "0000:01:02.0"


def test_a_conventional_bridge_shares_a_group_with_all_below_it(bus: Bus) -> None:
    group = bus.world.sysfs / f"kernel/iommu_groups/{bus.group(BRIDGE)}/devices"

    assert sorted(entry.name for entry in group.iterdir()) == [BRIDGE, OLD_NIC, OLD_EDU]
    assert bus.group(OLD_NIC) == bus.group(OLD_EDU) == bus.group(BRIDGE)


def test_functions_below_a_port_share_a_group_without_the_port(bus: Bus) -> None:
    assert bus.group(GPU) == bus.group(AUDIO)
    assert bus.group("0000:00:14.0") != bus.group(GPU)


def test_functions_on_the_root_bus_have_groups_of_their_own(bus: Bus) -> None:
    assert len({bus.group(address) for address in (NIC, TWIN, "0000:00:05.0", "0000:00:05.1")}) == 4


def test_a_group_has_one_node_which_goes_with_its_last_device(bus: Bus) -> None:
    group = bus.group(GPU)
    bus.to_vfio(GPU)
    bus.to_vfio(AUDIO)

    bus.give_back(GPU, "bochs-drm")
    with_one = bus.has_node(group)
    bus.give_back(AUDIO, "snd_hda_intel")

    assert with_one
    assert not bus.has_node(group)


def test_a_group_is_not_viable_while_a_host_driver_has_a_member(bus: Bus) -> None:
    """The bind succeeds; it is the virtual machine that cannot start."""
    bus.to_vfio(GPU)

    with refused(errno.EPERM):
        bus.world.hold(GPU)


def test_a_member_without_driver_is_harmless(bus: Bus) -> None:
    bus.to_vfio(GPU)
    bus.unbind(AUDIO)

    with bus.held(GPU):
        assert bus.read(GPU, "enable") == "1"


def test_bridges_and_members_without_driver_do_not_block_a_group(bus: Bus) -> None:
    """The conventional bridge has no driver, and neither has the second card."""
    bus.to_vfio(OLD_NIC)

    with bus.held(OLD_NIC):
        assert bus.read(OLD_NIC, "enable") == "1"


def test_a_host_driver_gets_no_member_of_a_group_that_a_vm_owns(bus: Bus) -> None:
    """`bind` says busy, a probe says invalid; vfio-pci may have the member."""
    bus.to_vfio(GPU)
    bus.to_vfio(AUDIO)

    with bus.held(GPU):
        bus.unbind(AUDIO)
        bus.override(AUDIO, "")
        with refused(errno.EBUSY):
            bus.bind(AUDIO, "snd_hda_intel")
        with refused(errno.EINVAL):
            bus.probe(AUDIO)
        bus.to_vfio(AUDIO)

    assert bus.driver(AUDIO) == "vfio-pci"


def test_a_vm_may_hold_all_of_a_group(bus: Bus) -> None:
    bus.to_vfio(GPU)
    bus.to_vfio(AUDIO)

    with bus.held(GPU, AUDIO):
        assert [bus.read(address, "enable") for address in (GPU, AUDIO)] == ["1", "1"]
    assert [bus.read(address, "enable") for address in (GPU, AUDIO)] == ["0", "0"]
