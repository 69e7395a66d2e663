"""What a scan says of devices that are in order."""

from __future__ import annotations

import os

from dataclasses import replace
from pathlib import Path

import pytest

from asyncinotify import Inotify, Mask

from pcidevices.adapters.sysfs.scan import scan
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, PhysicalFunction, VirtualFunction
from pcidevices.errors import SysfsUnreadable
from tests.support.sysfs_tree import (
    CARDBUS_BRIDGE,
    GPU,
    GPU_AUDIO,
    HOST_BRIDGE,
    NIC,
    ROOT_PORT,
    SRIOV_NIC,
    Card,
    SysfsTree,
)


ADDRESS = "0000:04:00.0"


def seen(tree: SysfsTree) -> dict[str, PciDevice]:
    """The devices of a scan in which everything can be read."""
    found = scan(tree.root).scan
    assert found.unreadable == ()
    return {str(device.address): device for device in found.devices}


def only(tree: SysfsTree, card: Card) -> PciDevice:
    """A node's only card, as it is seen."""
    tree.plug(ADDRESS, card)
    return seen(tree)[ADDRESS]


def test_every_fact_of_a_gpu_is_seen(tree: SysfsTree) -> None:
    tree.plug("0000:00:1c.0", ROOT_PORT, driver="pcieport", group=1)
    tree.plug("0000:04:00.0", replace(GPU, numa=1), driver="nouveau", group=25, behind="0000:00:1c.0")
    tree.plug("0000:04:00.1", replace(GPU_AUDIO, numa=1), driver="snd_hda_intel", group=25, behind="0000:00:1c.0")

    assert seen(tree)["0000:04:00.0"] == PciDevice(
        address=PciAddress(0, 4, 0, 0),
        vendor="10de",
        device="1c03",
        class_code="030000",
        revision="a1",
        subsystem="1458:3702",
        driver="nouveau",
        iommu_group="25",
        iommu_group_members=(PciAddress(0, 4, 0, 0), PciAddress(0, 4, 0, 1)),
        numa_node=1,
    )


def test_what_the_kernel_does_not_tell_is_none(tree: SysfsTree) -> None:
    device = only(tree, NIC)

    assert (device.driver, device.iommu_group, device.iommu_group_members) == (None, None, ())
    assert (device.numa_node, device.sriov, device.serial) == (None, None, None)


def test_an_old_kernel_without_revision_and_numa_node_costs_nothing_else(tree: SysfsTree) -> None:
    tree.plug(ADDRESS, GPU)
    for name in ("revision", "numa_node", "boot_vga", "subsystem_vendor"):
        (tree[ADDRESS] / name).unlink()

    device = seen(tree)[ADDRESS]
    assert (device.revision, device.numa_node, device.boot_vga, device.subsystem) == (None, None, False, None)
    assert device.model == ("10de", "1c03")


@pytest.mark.parametrize(
    "address", ["0000:04:00.0", "0001:ff:1f.7", "10000:e1:00.0", "abcdef:01:02.3", "12345678:00:00.0"]
)
def test_a_domain_may_have_any_width(tree: SysfsTree, address: str) -> None:
    tree.plug(address)

    assert list(seen(tree)) == [address]


def test_devices_come_in_the_order_of_their_addresses(tree: SysfsTree) -> None:
    """As text 10000:… sorts before 9000:…; as an address it does not."""
    for address in ("10000:e1:00.0", "9000:00:00.0", "0000:10:00.0", "0000:0a:00.0"):
        tree.plug(address)

    assert list(seen(tree)) == ["0000:0a:00.0", "0000:10:00.0", "9000:00:00.0", "10000:e1:00.0"]


def test_devices_behind_a_vmd_are_devices_like_others(tree: SysfsTree) -> None:
    tree.plug("0000:00:0e.0", Card(ids="8086:467f", class_code="010400"), driver="vmd")
    tree.plug("10000:e0:06.0", ROOT_PORT)
    tree.plug("10000:e1:00.0", behind="10000:e0:06.0", driver="nvme")

    assert list(seen(tree)) == ["0000:00:0e.0", "10000:e0:06.0", "10000:e1:00.0"]


@pytest.mark.parametrize(("told", "expected"), [(-1, None), (0, 0), (1, 1), (17, 17)])
def test_a_numa_node_is_a_number_and_minus_one_is_none(tree: SysfsTree, told: int, expected: int | None) -> None:
    assert only(tree, replace(NIC, numa=told)).numa_node == expected


def test_a_subsystem_of_zeros_is_none(tree: SysfsTree) -> None:
    assert only(tree, replace(NIC, subsystem="0000:0000")).subsystem is None


def test_a_subsystem_with_one_zero_is_one(tree: SysfsTree) -> None:
    assert only(tree, replace(NIC, subsystem="8086:0000")).subsystem == "8086:0000"


def test_ids_are_told_in_lower_case(tree: SysfsTree) -> None:
    device = only(tree, replace(NIC, ids="10DE:1C03", class_code="0C0330"))

    assert (device.vendor, device.device, device.class_code) == ("10de", "1c03", "0c0330")


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (ROOT_PORT, True),
        (replace(ROOT_PORT, buses=None), True),
        (CARDBUS_BRIDGE, True),
        (HOST_BRIDGE, False),
        (Card(class_code="060100"), False),
        (replace(NIC, buses=(1, 1)), False),
    ],
    ids=["a root port", "by class alone", "by its buses", "a host bridge", "an ISA bridge", "no bridge by class"],
)
def test_a_bridge_is_known_by_its_class_and_its_buses(tree: SysfsTree, card: Card, expected: bool) -> None:  # noqa: FBT001
    assert only(tree, card).is_bridge is expected


@pytest.mark.parametrize(
    ("class_code", "told", "expected"),
    [("030000", 1, True), ("030000", 0, False), ("038000", 1, True), ("020000", 1, False)],
)
def test_the_console_of_the_firmware_is_a_display_device(
    tree: SysfsTree,
    class_code: str,
    told: int,
    expected: bool,  # noqa: FBT001
) -> None:
    assert only(tree, replace(GPU, class_code=class_code, boot_vga=told)).boot_vga is expected


def test_all_functions_of_a_group_are_members_of_each_other(tree: SysfsTree) -> None:
    for address in ("0000:01:00.1", "0000:01:00.0", "10000:01:00.0"):
        tree.plug(address, group=7)
    tree.plug("0000:02:00.0", group=8)

    devices = seen(tree)
    members = (PciAddress(0, 1, 0, 0), PciAddress(0, 1, 0, 1), PciAddress(0x10000, 1, 0, 0))
    assert all(devices[str(address)].iommu_group_members == members for address in members)
    assert devices["0000:02:00.0"].iommu_group_members == (PciAddress(0, 2, 0, 0),)


def test_virtual_functions_are_counted_by_their_links(tree: SysfsTree) -> None:
    """The attribute that has the number blocks while virtual functions are being taken away."""
    tree.plug(ADDRESS, SRIOV_NIC, driver="igb")
    tree.virtual_function(ADDRESS, "0000:04:10.0")
    tree.virtual_function(ADDRESS, "0000:04:10.2")

    devices = seen(tree)
    assert devices[ADDRESS].sriov == PhysicalFunction(total_vfs=7, num_vfs=2)
    assert devices["0000:04:10.2"].sriov == VirtualFunction(PciAddress(0, 4, 0, 0))


def test_a_card_that_could_have_virtual_functions_says_so(tree: SysfsTree) -> None:
    assert only(tree, SRIOV_NIC).sriov == PhysicalFunction(total_vfs=7, num_vfs=0)


def test_a_card_whose_firmware_allows_no_virtual_functions_has_no_part_in_sriov(tree: SysfsTree) -> None:
    assert only(tree, replace(NIC, attributes={"sriov_totalvfs": "0\n", "sriov_numvfs": "0\n"})).sriov is None


@pytest.mark.parametrize("name", ["sriov_numvfs", "uevent", "driver_override", "config", "serial_number", "enable"])
def test_what_may_block_is_never_opened(tree: SysfsTree, name: str) -> None:
    """While a device is in use, or its virtual functions go, some attributes answer only when that is over."""
    tree.plug(ADDRESS, replace(SRIOV_NIC, attributes={name: "1\n"}), driver="igb", group=1)

    with Inotify(sync_timeout=0) as opened:
        opened.add_watch(tree[ADDRESS] / name, Mask.OPEN)
        seen(tree)
        assert opened.sync_get() is None


def test_a_fifo_in_place_of_the_number_of_virtual_functions_holds_nobody_up(tree: SysfsTree) -> None:
    tree.plug(ADDRESS, replace(SRIOV_NIC, total_vfs=0, attributes={"sriov_totalvfs": "7\n"}))
    os.mkfifo(tree[ADDRESS] / "sriov_numvfs")

    assert seen(tree)[ADDRESS].sriov == PhysicalFunction(total_vfs=7, num_vfs=0)


def test_a_scan_of_a_bus_without_devices_is_empty(tree: SysfsTree) -> None:
    assert seen(tree) == {}


@pytest.mark.parametrize("made", ["", "sys", "sys/bus/pci"])
def test_a_root_without_a_pci_bus_is_told_from_an_empty_one(tmp_path: Path, made: str) -> None:
    """The message names the folder that was looked for, and what to check."""
    (tmp_path / made).mkdir(parents=True, exist_ok=True)

    with pytest.raises(SysfsUnreadable, match=r"cannot list .*/sys/bus/pci/devices: .*is .*/sys a sysfs") as error:
        scan(tmp_path / "sys")
    assert isinstance(error.value.__cause__, OSError)


def test_a_file_in_place_of_the_bus_is_told(tmp_path: Path) -> None:
    (tmp_path / "bus/pci").mkdir(parents=True)
    (tmp_path / "bus/pci/devices").touch()

    with pytest.raises(SysfsUnreadable, match="Not a directory"):
        scan(tmp_path)


def test_each_plug_is_a_life_of_its_own(tree: SysfsTree) -> None:
    """Another card of the same model in the same slot is another device."""
    tree.plug(ADDRESS)
    (first,) = scan(tree.root).lives.items()
    tree.unplug(ADDRESS)
    tree.plug(ADDRESS)
    (second,) = scan(tree.root).lives.items()

    assert first[0] == second[0]
    assert first[1] != second[1]


def test_a_device_lives_on_when_its_driver_changes(tree: SysfsTree) -> None:
    tree.plug(ADDRESS, driver="e1000e")
    before = scan(tree.root).lives
    tree.bind(ADDRESS, "vfio-pci")

    assert scan(tree.root).lives == before
    assert seen(tree)[ADDRESS].driver == "vfio-pci"


def test_a_variant_of_vfio_pci_is_told_by_its_name_or_by_its_module(tree: SysfsTree) -> None:
    for slot, driver in enumerate(("vfio-pci", "mlx5_vfio_pci", "odd-one", "e1000e", None)):
        folder = tree.plug(f"0000:04:0{slot}.0", driver=driver)
        (folder / f"vfio-dev/vfio{slot}").mkdir(parents=True)
        (folder / f"vfio-dev/vfio{slot}/dev").touch()

    found = scan(tree.root, lambda driver: driver == "odd-one").scan.devices

    on_vfio = {"vfio-pci", "mlx5_vfio_pci", "odd-one"}
    assert [device.is_on_vfio for device in found] == [device.driver in on_vfio for device in found]
    assert [device.vfio_device for device in found] == ["vfio0", "vfio1", "vfio2", None, None]
    assert [device.is_on_vfio for device in scan(tree.root).scan.devices] == [True, True, False, False, False]
