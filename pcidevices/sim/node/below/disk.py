"""Disks and their partitions, wherever they hang."""

from __future__ import annotations

from pathlib import Path

from pcidevices.sim.node.below.ground import Ground
from pcidevices.sim.node.class_device import ClassDevice
from pcidevices.sim.node.spec import DiskSpec


_MAJOR = 259
_SECTORS = 1 << 31


class Disk:
    """A disk in *folder* and its partitions, with their nodes."""

    def __init__(self, ground: Ground, folder: Path, spec: DiskSpec, *, device: Path) -> None:
        self._ground = ground
        self._minors: list[int] = []
        self._disk = self._make(folder, "disk", device=device)
        self._disk.link_from(ground.tree.sysfs / "block" / folder.name)
        ground.tree.folder(folder / "slaves")
        self._disk.announce("add")
        between = "p" if folder.name[-1].isdigit() else ""
        self._partitions = []
        for number in spec.partitions:
            if number:
                partition = self._make(folder / f"{folder.name}{between}{number}", "partition", PARTN=number)
                ground.tree.attribute(partition.folder / "partition", str(number))
                partition.announce("add")
                self._partitions.append(partition)

    def remove(self) -> None:
        for part in (*reversed(self._partitions), self._disk):
            part.remove()
            self._ground.storage.gone(part.folder.name)
        for minor in self._minors:
            self._ground.minors.give_back(minor)

    def _make(self, folder: Path, kind: str, *, device: Path | None = None, **properties: int) -> ClassDevice:
        minor = self._ground.minors.take()
        self._minors.append(minor)
        names: dict[str, str | int] = {"MAJOR": _MAJOR, "MINOR": minor, "DEVNAME": folder.name, "DEVTYPE": kind}
        names |= properties
        attributes = {"size": _SECTORS, "ro": 0, **({"removable": 0, "hidden": 0} if kind == "disk" else {})}
        made = ClassDevice(self._ground.tree, self._ground.uevents, folder, subsystem="block", properties=names)
        made.describe(attributes, device=device)
        self._ground.tree.folder(folder / "holders")
        return made
