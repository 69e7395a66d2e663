"""What the host does with its disks: mounts, swap space, what is stacked on them."""

from __future__ import annotations

import errno
import os

from dataclasses import dataclass
from pathlib import Path

from pcidevices.sim.node.class_device import ClassDevice
from pcidevices.sim.node.locks import BigLock
from pcidevices.sim.node.numbers import Numbers
from pcidevices.sim.node.tree import Tree
from pcidevices.sim.node.uevents import Uevents


_MAPPER = 253
_ESCAPED = str.maketrans({"\\": r"\134", " ": r"\040", "\t": r"\011", "\n": r"\012"})
# Source, place, type and numbers of what is mounted on every machine.
_ALWAYS = (("proc", "/proc", "proc", "0:20"), ("sysfs", "/sys", "sysfs", "0:21"))


@dataclass(frozen=True, slots=True)
class _Mount:
    name: str
    where: str
    numbers: str
    elsewhere: bool


class Storage:
    """
    Disks and partitions in use, by their names. /proc tells of it, and so does sysfs.

    That a disk loses its driver ends no use: the table of mounts stays as it is, and swap space is called deleted.
    """

    def __init__(self, tree: Tree, uevents: Uevents, lock: BigLock) -> None:
        self._tree = tree
        self._uevents = uevents
        self._lock = lock
        self._mounts: list[_Mount] = []
        self._swaps: dict[str, str] = {}
        self._numbers = Numbers()
        self._mapped: dict[str, tuple[int, ClassDevice, list[Path]]] = {}
        self._systems = tree.folder(tree.sysfs / "fs") / "ext4"
        tree.folder(tree.proc / "1")
        self._show()

    def mount(self, name: str, where: str, *, elsewhere: bool = False) -> None:
        """Mount a disk or partition; *elsewhere* is a mount namespace that is not the host's."""
        with self._lock:
            numbers = (self._folder(name) / "dev").read_text().strip()
            self._mounts.append(_Mount(name, where, numbers, elsewhere))
            self._tree.folder(self._systems / name)
            self._show()

    def unmount(self, where: str) -> None:
        """Take away what was mounted last at *where*."""
        with self._lock:
            mount = next((mount for mount in reversed(self._mounts) if mount.where == where), None)
            if mount is None:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), where)
            self._mounts.remove(mount)
            if all(other.name != mount.name for other in self._mounts):
                self._tree.fell(self._systems / mount.name)
            self._show()

    def swap_on(self, name: str) -> None:
        with self._lock:
            self._folder(name)
            self._swaps[name] = f"/dev/{name}"
            self._show()

    def swap_off(self, name: str) -> None:
        with self._lock:
            del self._swaps[name]
            self._show()

    def map(self, label: str, *names: str) -> None:
        """Make a device of the device mapper, such as a logical volume, of disks or partitions."""
        with self._lock:
            folders = [self._folder(name) for name in names]
            number = self._numbers.take()
            path = self._tree.sysfs / f"devices/virtual/block/dm-{number}"
            about: dict[str, str | int] = {"MAJOR": _MAPPER, "MINOR": number, "DEVNAME": path.name, "DEVTYPE": "disk"}
            device = ClassDevice(self._tree, self._uevents, path, subsystem="block", properties=about)
            device.link_from(self._tree.sysfs / "block" / path.name)
            self._tree.attribute(self._tree.folder(path / "dm") / "name", label)
            self._tree.folder(path / "holders")
            self._tree.folder(path / "slaves")
            for folder in folders:
                self._tree.link(path / "slaves" / folder.name, folder)
                self._tree.link(folder / "holders" / path.name, path)
            device.announce("add")
            self._mapped[label] = number, device, [folder / "holders" / path.name for folder in folders]

    def unmap(self, label: str) -> None:
        with self._lock:
            number, device, holders = self._mapped.pop(label)
            for holder in holders:
                self._tree.fell(holder)
            device.remove()
            self._numbers.give_back(number)

    def gone(self, name: str) -> None:
        """The disk or partition has gone."""
        if name in self._swaps:
            self._swaps[name] = f"/dev/{name} (deleted)"
            self._show()

    def _folder(self, name: str) -> Path:
        return (self._tree.sysfs / "class/block" / name).resolve(strict=True)

    def _show(self) -> None:
        used = [
            (f"/dev/{mount.name}", mount.where, "ext4", mount.numbers) for mount in self._mounts if not mount.elsewhere
        ]
        rows = [tuple(word.translate(_ESCAPED) for word in row) for row in (*used, *_ALWAYS)]
        mounts = [f"{source} {where} {kind} rw,relatime 0 0" for source, where, kind, _ in rows]
        infos = [
            f"{30 + index} 1 {numbers} / {where} rw,relatime shared:1 - {kind} {source} rw"
            for index, (source, where, kind, numbers) in enumerate(rows)
        ]
        swaps = [f"{source.translate(_ESCAPED)} partition 1048576 0 -2" for source in self._swaps.values()]
        self._tree.attribute(self._tree.proc / "1/mounts", "\n".join(mounts))
        self._tree.attribute(self._tree.proc / "1/mountinfo", "\n".join(infos))
        self._tree.attribute(self._tree.proc / "swaps", "\n".join(["Filename Type Size Used Priority", *swaps]))
