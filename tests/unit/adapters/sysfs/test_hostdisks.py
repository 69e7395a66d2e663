"""Disks in use, beyond what the contract suite shows on real kernels."""

from __future__ import annotations

import errno

import pytest

from tests.support.sysfs_tree import AHCI, NVME, SysfsTree
from tests.unit.adapters.sysfs.host import Host


CARD = "0000:01:00.0"
ATA = "ata1/host0/target0:0:0/0:0:0:0"


@pytest.fixture
def disk(tree: SysfsTree) -> str:
    """An NVMe disk with two partitions."""
    tree.plug(CARD, NVME, driver="nvme")
    tree.nvme(CARD, "nvme0", partitions=2)
    return "nvme0n1"


def test_a_disk_that_nobody_uses_has_no_uses(host: Host, disk: str) -> None:
    host.label(disk, "")
    for part in (1, 2):
        host.label(f"{disk}p{part}", "ext4")
    host.mount("/dev/nvme1n1p1", "/srv", numbers="259:77")

    assert host.uses(CARD) == []


def test_all_that_uses_a_disk_is_told(host: Host, disk: str) -> None:
    host.mount(f"/dev/{disk}p1", "/", numbers=host.tree.numbers(f"{disk}p1"))
    host.add("swaps", f"/dev/{disk}p2 partition 1024 0 -2")

    assert host.uses(CARD) == [f"/dev/{disk}p1 is mounted at /", f"/dev/{disk}p2 is swap space"]


def test_a_disk_that_two_controllers_reach_is_used_through_both(host: Host) -> None:
    other = "0000:02:00.0"
    for address in (CARD, other):
        host.tree.plug(address, NVME, driver="nvme")
    host.tree.nvme_multipath((CARD, other), subsystem=0)
    host.mount("/dev/nvme0n1p1", "/srv", numbers=host.tree.numbers("nvme0n1p1"))

    assert host.uses(CARD) == host.uses(other) == ["/dev/nvme0n1p1 is mounted at /srv"]


@pytest.mark.parametrize("kind", ["ext4", "xfs", "f2fs"])
def test_a_file_system_that_the_kernel_has_open_is_a_use(host: Host, disk: str, kind: str) -> None:
    for name in ("features", f"{disk}p2"):
        (host.tree.root / "fs" / kind / name).mkdir(parents=True)

    assert host.uses(CARD) == [f"the {kind} file system on /dev/{disk}p2 is in use, perhaps in another mount namespace"]


def test_each_device_of_a_btrfs_is_in_use(host: Host, disk: str) -> None:
    """The table of mounts names one of them."""
    top = host.tree.root / "fs/btrfs"
    (top / "features").mkdir(parents=True)
    (top / "5d3c0e4e-0c5a-4c7e-8a55-2f0a3c1f7b11/devices" / disk).mkdir(parents=True)

    assert host.uses(CARD) == [f"the btrfs file system on /dev/{disk} is in use, perhaps in another mount namespace"]


def test_a_holder_is_told_with_the_name_that_people_know(host: Host, disk: str) -> None:
    for holder in ("dm-0", "md127"):
        host.tree.virtual_disk(holder)
    (host.tree.root / "class/block/dm-0/dm").mkdir()
    (host.tree.root / "class/block/dm-0/dm/name").write_text("vg0-root\n")
    host.tree.hold(disk, "md127")
    host.tree.hold(f"{disk}p2", "dm-0")

    assert host.uses(CARD) == [f"/dev/{disk} is held by md127", f"/dev/{disk}p2 is held by dm-0 (vg0-root)"]


def test_a_zfs_label_is_a_use(host: Host, disk: str) -> None:
    """The pool itself is not to be seen in sysfs."""
    for name, kind in ((disk, ""), (f"{disk}p1", "zfs_member"), (f"{disk}p2", "xfs")):
        host.label(name, kind)

    assert host.uses(CARD) == [f"/dev/{disk}p1 carries a ZFS label"]


def test_a_disk_that_udev_does_not_know_yet_is_an_error(host: Host, disk: str) -> None:
    host.label(disk, "ext4")

    with pytest.raises(FileNotFoundError, match=f"b{host.tree.numbers(f'{disk}p1')}"):
        host.uses(CARD)


@pytest.mark.usefixtures("disk")
def test_zfs_without_a_udev_is_an_error(host: Host) -> None:
    """Nothing tells then which disks a pool has."""
    assert host.uses(CARD) == []
    (host.tree.root / "module/zfs").mkdir()

    with pytest.raises(FileNotFoundError, match="run/udev/data"):
        host.uses(CARD)


@pytest.mark.usefixtures("disk")
def test_whether_there_is_zfs_must_be_known_without_a_udev(host: Host) -> None:
    (host.tree.root / "module").rmdir()

    with pytest.raises(FileNotFoundError, match="module"):
        host.uses(CARD)


def test_a_disk_in_a_folder_of_dev_is_known_by_its_path(host: Host) -> None:
    """The kernel writes its slash as an exclamation mark."""
    host.tree.plug(CARD, AHCI, driver="cciss")
    host.tree.disk(CARD, "cciss!c0d0", partitions=1)
    host.mount("/dev/cciss/c0d0p1", "/srv")

    assert host.uses(CARD) == ["/dev/cciss/c0d0p1 is mounted at /srv"]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("name", ["1/mountinfo", "swaps"])
@pytest.mark.parametrize("content", [None, "", "garbage\n", "\0\n"])
def test_a_table_that_cannot_be_read_is_an_error(host: Host, name: str, content: str | None) -> None:
    """Never: not in use."""
    (host.proc / name).unlink()
    if content is not None:
        host.write(name, content)

    with pytest.raises(OSError, match=name):
        host.uses(CARD)


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("name", ["fs", "class/block/nvme0n1/dev", "class/block/nvme0n1/nvme0n1p1/holders"])
def test_a_part_of_sysfs_that_cannot_be_read_is_an_error(host: Host, name: str) -> None:
    path = host.tree.root / name
    path.rename(path.parent / "away") if path.is_dir() else path.unlink()

    with pytest.raises(OSError, match=path.name) as caught:
        host.uses(CARD)
    assert caught.value.errno == errno.ENOENT


def test_a_disk_below_a_host_adapter_is_the_adapter_s(host: Host) -> None:
    host.tree.plug(CARD, AHCI, driver="ahci")
    host.tree.disk(CARD, "sda", through=ATA, partitions=1)
    host.mount("/dev/sda1", "/")

    assert host.uses(CARD) == ["/dev/sda1 is mounted at /"]
