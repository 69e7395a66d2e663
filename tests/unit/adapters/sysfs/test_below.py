"""Which interfaces and disks belong to which function."""

from __future__ import annotations

import pytest

from pcidevices.adapters.sysfs.scan import scan
from tests.support.sysfs_tree import AHCI, NIC, NVME, ROOT_PORT, VIRTIO_DISK, VIRTIO_NET, SysfsTree


ATA = "ata1/host0/target0:0:0/0:0:0:0"


def interfaces(tree: SysfsTree) -> dict[str, tuple[str, ...]]:
    return {str(d.address): d.network_interfaces for d in scan(tree.root).scan.devices if d.network_interfaces}


def disks(tree: SysfsTree) -> dict[str, tuple[str, ...]]:
    return {str(d.address): d.block_devices for d in scan(tree.root).scan.devices if d.block_devices}


def test_an_interface_belongs_to_its_nic(tree: SysfsTree) -> None:
    tree.plug("0000:00:03.0")
    tree.plug("0000:00:04.0")
    tree.interface("0000:00:04.0", "eth1")
    tree.interface("0000:00:04.0", "eth0")

    assert interfaces(tree) == {"0000:00:04.0": ("eth0", "eth1")}


def test_an_interface_below_virtio_belongs_to_the_pci_function(tree: SysfsTree) -> None:
    tree.plug("0000:00:0a.0", VIRTIO_NET, driver="virtio-pci")
    tree.interface("0000:00:0a.0", "eth0", through="virtio3")

    assert interfaces(tree) == {"0000:00:0a.0": ("eth0",)}


def test_an_interface_belongs_to_the_nearest_function_not_to_a_bridge(tree: SysfsTree) -> None:
    tree.plug("0000:00:1c.0", ROOT_PORT)
    tree.plug("0000:04:00.0", behind="0000:00:1c.0")
    tree.interface("0000:04:00.0", "enp4s0")

    assert interfaces(tree) == {"0000:04:00.0": ("enp4s0",)}


@pytest.mark.parametrize("name", ["0000:05:00.0", "10000:e1:00.0"])
def test_a_domain_of_any_width_owns_what_is_below(tree: SysfsTree, name: str) -> None:
    tree.plug(name)
    tree.interface(name, "eth0")
    tree.disk(name, "sda", through=ATA)

    assert (interfaces(tree), disks(tree)) == ({name: ("eth0",)}, {name: ("sda",)})


def test_an_interface_without_hardware_belongs_to_nobody(tree: SysfsTree) -> None:
    tree.plug("0000:00:03.0")
    tree.virtual_interface("lo")
    tree.virtual_interface("cni0")

    assert interfaces(tree) == {}


def test_an_interface_on_usb_belongs_to_the_usb_controller(tree: SysfsTree) -> None:
    tree.plug("0000:00:14.0")
    tree.interface("0000:00:14.0", "enx0", through="usb1/1-2/1-2:1.0")

    assert interfaces(tree) == {"0000:00:14.0": ("enx0",)}


def test_a_disk_is_listed_whole_without_its_partitions(tree: SysfsTree) -> None:
    tree.plug("0000:00:1f.2", AHCI, driver="ahci")
    tree.disk("0000:00:1f.2", "sda", through=ATA, partitions=12)
    tree.disk("0000:00:1f.2", "sdb", through="ata2/host1/target1:0:0/1:0:0:0")

    assert disks(tree) == {"0000:00:1f.2": ("sda", "sdb")}


def test_a_disk_below_virtio_belongs_to_the_pci_function(tree: SysfsTree) -> None:
    tree.plug("0000:00:05.0", VIRTIO_DISK, driver="virtio-pci")
    tree.disk("0000:00:05.0", "vda", through="virtio1", partitions=2)

    assert disks(tree) == {"0000:00:05.0": ("vda",)}


@pytest.mark.parametrize("name", ["mmcblk0", "nbd0", "sr0", "sdaa", "xvda"])
def test_a_disk_may_have_any_name_and_partitions(tree: SysfsTree, name: str) -> None:
    tree.plug("0000:00:05.0")
    tree.disk("0000:00:05.0", name, partitions=1)

    assert disks(tree) == {"0000:00:05.0": (name,)}


def test_a_disk_without_hardware_belongs_to_nobody(tree: SysfsTree) -> None:
    tree.plug("0000:00:05.0")
    tree.virtual_disk("loop0")
    tree.virtual_disk("dm-0")

    assert disks(tree) == {}


def test_the_namespaces_of_an_nvme_controller_are_its_disks(tree: SysfsTree) -> None:
    tree.plug("0000:00:07.0", NVME, driver="nvme")
    tree.nvme("0000:00:07.0", "nvme0", namespaces=2, partitions=3)

    assert disks(tree) == {"0000:00:07.0": ("nvme0n1", "nvme0n2")}


def test_with_native_multipath_a_namespace_belongs_to_its_controller(tree: SysfsTree) -> None:
    """The disk lies under a virtual subsystem; below the function there is only a hidden path without a node."""
    tree.plug("0000:00:07.0", NVME, driver="nvme")
    tree.plug("0000:00:08.0", NVME, driver="nvme")
    tree.nvme_multipath(("0000:00:07.0",), subsystem=0)
    tree.nvme_multipath(("0000:00:08.0",), subsystem=1, namespaces=2)

    assert disks(tree) == {"0000:00:07.0": ("nvme0n1",), "0000:00:08.0": ("nvme1n1", "nvme1n2")}


def test_a_namespace_with_two_paths_belongs_to_both_controllers(tree: SysfsTree) -> None:
    """Taking either away could take the disk: both are told."""
    tree.plug("0000:00:07.0", NVME)
    tree.plug("0000:00:08.0", NVME)
    tree.nvme_multipath(("0000:00:07.0", "0000:00:08.0"), subsystem=0)

    assert disks(tree) == {"0000:00:07.0": ("nvme0n1",), "0000:00:08.0": ("nvme0n1",)}


def test_an_nvme_behind_a_vmd_owns_its_disks(tree: SysfsTree) -> None:
    tree.plug("10000:e1:00.0", NVME)
    tree.nvme_multipath(("10000:e1:00.0",), subsystem=0)

    assert disks(tree) == {"10000:e1:00.0": ("nvme0n1",)}


def test_what_goes_with_a_card_is_gone_with_it(tree: SysfsTree) -> None:
    tree.plug("0000:00:03.0", NIC)
    tree.interface("0000:00:03.0", "eth0")
    tree.unplug("0000:00:03.0")
    tree.plug("0000:00:03.0", NIC)

    assert interfaces(tree) == {}
