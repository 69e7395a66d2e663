"""What of the host hangs on a disk: mounts, swap space, what is stacked on it, a ZFS pool. Blocking."""

from __future__ import annotations

import errno

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pcidevices.domain.sight import HostUse

from .certain import UUID, entries, entries_if_any, is_there, parsed, text
from .mounttables import Mounts, mounts_in, swaps_in


# They name a folder after the device, in whatever mount namespace the file system is (`s_id` of the superblock).
_NAMED_FOR_DEVICES = ("ext4", "xfs", "f2fs", "nilfs2", "erofs")
_ZFS = "E:ID_FS_TYPE=zfs_member"


@dataclass(frozen=True, slots=True)
class _Block:
    """A disk or a partition: the kernel's name, its folder, its major and minor number."""

    name: str
    folder: Path
    numbers: str

    @property
    def node(self) -> str:
        return f"/dev/{self.name.replace('!', '/')}"


def disk_uses(disks: Iterable[str], *, sysfs: Path, proc: Path, udev: Path) -> Iterator[HostUse]:
    """
    The uses of whole disks and of their partitions.

    What only has the node open is not seen from here: a virtual machine on a raw disk, an iSCSI target.
    """
    mounts = parsed(proc / "1/mountinfo", mounts_in)
    swaps = parsed(proc / "swaps", swaps_in)
    systems = _file_systems(sysfs)
    has_udev = _demand_udev(udev, sysfs)
    for disk in disks:
        for block in _with_partitions(sysfs / "class/block" / disk):
            yield from _file_system(block, mounts, systems)
            yield from _swap(block, swaps)
            yield from _holders(block, sysfs)
            if has_udev:
                yield from _zfs(block, udev)


def _demand_udev(udev: Path, sysfs: Path) -> bool:
    """Whether there is a udev; raises OSError where there is none though ZFS may have disks, which only udev tells."""
    if is_there(udev):
        return True
    if "zfs" in entries(sysfs / "module"):
        raise FileNotFoundError(errno.ENOENT, "there is ZFS, and no udev that tells which disks it has", str(udev))
    return False


def _with_partitions(disk: Path) -> Iterator[_Block]:
    yield _block(disk)
    for name in entries(disk):
        if name.startswith(disk.name) and "partition" in entries(disk / name):
            yield _block(disk / name)


def _block(folder: Path) -> _Block:
    return _Block(folder.name, folder, text(folder / "dev"))


def _file_system(block: _Block, mounts: Mounts, systems: dict[str, str]) -> Iterator[HostUse]:
    if places := mounts.of(numbers=block.numbers, name=block.name):
        yield HostUse(f"{block.node} is mounted at {places}")
    elif kind := systems.get(block.name):
        yield HostUse(f"the {kind} file system on {block.node} is in use, perhaps in another mount namespace")


def _file_systems(sysfs: Path) -> dict[str, str]:
    """For each device with a file system that the kernel has open its kind."""
    kinds = entries(sysfs / "fs")
    found = {name: kind for kind in _NAMED_FOR_DEVICES if kind in kinds for name in entries(sysfs / "fs" / kind)}
    for uuid in filter(UUID.fullmatch, entries(sysfs / "fs/btrfs") if "btrfs" in kinds else ()):
        found |= dict.fromkeys(entries(sysfs / "fs/btrfs" / uuid / "devices"), "btrfs")
    return found


def _swap(block: _Block, swaps: frozenset[str]) -> Iterator[HostUse]:
    if block.name in swaps:
        yield HostUse(f"{block.node} is swap space")


def _holders(block: _Block, sysfs: Path) -> Iterator[HostUse]:
    """LVM, dm-crypt, multipath, RAID, bcache."""
    for holder in entries(block.folder / "holders"):
        label = sysfs / "class/block" / holder / "dm"
        name = f"{holder} ({text(label / 'name')})" if entries_if_any(label) else holder
        yield HostUse(f"{block.node} is held by {name}")


def _zfs(block: _Block, udev: Path) -> Iterator[HostUse]:
    """
    ZFS shows nothing in sysfs; udev has read the label.

    Where there is a udev it knows every disk, so that a missing entry is no answer: perhaps it has not looked yet.
    """
    if parsed(udev / f"b{block.numbers}", lambda lines: _ZFS in lines):
        yield HostUse(f"{block.node} carries a ZFS label")
