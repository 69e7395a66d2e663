"""What makes no sense costs only itself, and is told."""

from __future__ import annotations

import os

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pcidevices.adapters.sysfs.scan import scan
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice
from tests.support.sysfs_tree import GPU, NIC, SRIOV_NIC, SysfsTree


BAD, GOOD = "0000:04:00.0", "0000:ff:00.0"
OPTIONAL = {
    "revision": "revision",
    "subsystem_vendor": "subsystem",
    "subsystem_device": "subsystem",
    "numa_node": "numa_node",
    "boot_vga": "boot_vga",
    "sriov_totalvfs": "sriov",
}
"""An attribute, and what is not known without it."""


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def nonsense(path: Path) -> None:
    path.write_bytes(b"xyz\n")


def junk(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def huge(path: Path) -> None:
    path.write_bytes(b"0x" + b"8" * (1 << 16))


def nul(path: Path) -> None:
    path.write_bytes(b"0x8086\0\n")


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def dangling(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("nowhere/at/all")


def looping(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


DAMAGE = (emptied, nonsense, junk, huge, nul, fifo, folder, dangling, looping, missing)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_device_without_usable_ids_is_told_and_costs_only_itself(
    tree: SysfsTree, damage: Callable[[Path], None]
) -> None:
    """Without vendor, device and class there is nothing that could be published."""
    bad = {"0000:01:00.0": "vendor", "0000:02:00.0": "device", "0000:03:00.0": "class"}
    tree.plug(GOOD, NIC)
    for address, name in bad.items():
        damage(tree.plug(address, GPU) / name)

    found = scan(tree.root).scan
    assert [str(device.address) for device in found.devices] == [GOOD]
    told = {entry.name: entry.problem for entry in found.unreadable}
    assert told.keys() == bad.keys()
    assert all(name in told[address] and len(told[address]) < 200 for address, name in bad.items())


def test_a_device_that_cannot_be_read_is_still_in_its_group(tree: SysfsTree) -> None:
    """It can keep the others from being viable, read or not."""
    tree.plug(BAD, group=1)
    tree.plug(GOOD, group=1)
    nonsense(tree[BAD] / "vendor")

    (good,) = scan(tree.root).scan.devices
    assert good.iommu_group_members == (PciAddress.parse(BAD), PciAddress.parse(GOOD))


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_can_be_missing_costs_only_that_fact(tree: SysfsTree, damage: Callable[[Path], None]) -> None:
    for number, name in enumerate(OPTIONAL):
        damage(tree.plug(f"0000:0{number}:00.0", replace(GPU, numa=1, boot_vga=1, total_vfs=4)) / name)
    tree.plug(GOOD, replace(GPU, numa=1, boot_vga=1, total_vfs=4))

    found = scan(tree.root).scan
    assert found.unreadable == ()
    *devices, whole = found.devices
    for device, fact in zip(devices, OPTIONAL.values(), strict=True):
        assert_only_lacks(fact, device, whole)


@pytest.mark.parametrize("damage", [nonsense, folder, fifo])
@pytest.mark.parametrize(("name", "fact"), [("driver", "driver"), ("iommu_group", "iommu_group")])
def test_a_link_that_is_none_is_no_link(tree: SysfsTree, name: str, fact: str, damage: Callable[[Path], None]) -> None:
    tree.plug(BAD)
    damage(tree[BAD] / name)

    found = scan(tree.root).scan
    assert found.unreadable == ()
    assert getattr(found.devices[0], fact) is None


def test_a_link_that_leads_nowhere_still_says_its_name(tree: SysfsTree) -> None:
    """A driver's folder may be going away while its name still holds."""
    tree.plug(BAD)
    (tree[BAD] / "driver").symlink_to("../../../bus/pci/drivers/gone")

    assert scan(tree.root).scan.devices[0].driver == "gone"


def test_a_virtual_function_of_something_that_is_no_function_is_told(tree: SysfsTree) -> None:
    tree.plug(BAD)
    tree.plug(GOOD)
    (tree[BAD] / "physfn").symlink_to("../elsewhere")

    found = scan(tree.root).scan
    assert [str(device.address) for device in found.devices] == [GOOD]
    assert "elsewhere" in found.unreadable[0].problem


def test_a_virtual_function_whose_physical_one_is_gone_still_names_it(tree: SysfsTree) -> None:
    tree.plug(GOOD, SRIOV_NIC)
    tree.virtual_function(GOOD, BAD)
    tree.unplug(GOOD)

    (device,) = scan(tree.root).scan.devices
    assert device.sriov is not None


@pytest.mark.parametrize("name", ["nonsense", "0000:04:00", "0000:04:20.0", "0000:04:00.8", "00000:04:00.0", "ä"])
def test_a_folder_that_is_no_address_is_told_and_costs_only_itself(tree: SysfsTree, name: str) -> None:
    tree.plug(GOOD)
    (tree.bus / name).mkdir()

    found = scan(tree.root).scan
    assert [str(device.address) for device in found.devices] == [GOOD]
    assert [(entry.name, "not a PCI address" in entry.problem) for entry in found.unreadable] == [(name, True)]


def test_a_folder_without_a_domain_is_told_and_never_taken_for_domain_zero(tree: SysfsTree) -> None:
    """The kernel always writes the domain; two folders must not become one device."""
    tree.plug(GOOD)
    (tree.bus / GOOD.removeprefix("0000:")).symlink_to(tree[GOOD])

    found = scan(tree.root).scan
    assert [str(device.address) for device in found.devices] == [GOOD]


@pytest.mark.parametrize("damage", [nonsense, fifo, looping])
def test_something_else_in_place_of_a_device_is_told(tree: SysfsTree, damage: Callable[[Path], None]) -> None:
    tree.plug(GOOD)
    damage(tree.bus / BAD)

    found = scan(tree.root).scan
    assert [str(device.address) for device in found.devices] == [GOOD]
    assert [entry.name for entry in found.unreadable] == [BAD]


def test_a_device_whose_folder_is_gone_is_gone(tree: SysfsTree) -> None:
    tree.plug(GOOD, group=1)
    dangling(tree.bus / BAD)

    found = scan(tree.root).scan
    assert [str(device.address) for device in found.devices] == [GOOD]
    assert found.unreadable == ()


@pytest.mark.parametrize("damage", [nonsense, fifo, dangling, looping, missing])
def test_damaged_classes_cost_no_device(tree: SysfsTree, damage: Callable[[Path], None]) -> None:
    tree.plug(GOOD)
    for top in ("net", "block", "nvme-subsystem"):
        path = tree.root / "class" / top
        if path.is_dir():
            path.rmdir()
        damage(path)

    assert [str(device.address) for device in scan(tree.root).scan.devices] == [GOOD]


@pytest.mark.parametrize("damage", [nonsense, folder, fifo, dangling, looping])
def test_a_damaged_entry_of_a_class_belongs_to_nobody(tree: SysfsTree, damage: Callable[[Path], None]) -> None:
    """``class/net/bonding_masters`` is a file even on a machine that is in order."""
    tree.plug(GOOD)
    damage(tree.root / "class/net/bonding_masters")
    damage(tree.root / "class/block/sda")

    (device,) = scan(tree.root).scan.devices
    assert (device.network_interfaces, device.block_devices) == ((), ())


def assert_only_lacks(fact: str, device: PciDevice, whole: PciDevice) -> None:
    differing = {name for name in PciDevice.__slots__ if getattr(device, name) != getattr(whole, name)}
    assert differing == {"address", fact}
    assert not getattr(device, fact)
