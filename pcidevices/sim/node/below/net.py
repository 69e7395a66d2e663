from __future__ import annotations

import zlib

from pathlib import Path

from pcidevices.sim.node.below.ground import Ground
from pcidevices.sim.node.class_device import ClassDevice
from pcidevices.sim.node.spec import NetSpec
from pcidevices.sim.node.tree import BOTH, Tree


_UP, _DOWN = 0x1003, 0x1002


class Interface:
    """A network interface below *parent*: a new index each time, and down after the first time."""

    def __init__(self, ground: Ground, parent: Path, spec: NetSpec, *, up: bool) -> None:
        self._tree = ground.tree
        self._uevents = ground.uevents
        self._spec = spec
        index = next(ground.interfaces)
        self._device = ClassDevice(
            ground.tree,
            ground.uevents,
            parent / "net" / spec.name,
            subsystem="net",
            properties={"INTERFACE": spec.name, "IFINDEX": index},
        )
        self._device.describe(
            {
                "address": _mac(spec.name),
                "ifindex": index,
                "operstate": "up" if up else "down",
                "mtu": 1500,
                "type": 1,
                "flags": hex(_UP if up else _DOWN),
            },
            device=parent,
        )
        if up:
            self._tree.attribute(self._device.folder / "carrier", "1", BOTH)
            self._enslave()
        self._device.announce("add")
        self._announce_queues("add")

    def remove(self) -> None:
        if self._spec.master is not None:
            master = self._tree.sysfs / "devices/virtual/net" / self._spec.master
            self._tree.fell(master / f"lower_{self._spec.name}")
        self._announce_queues("remove")
        self._device.remove()

    def _announce_queues(self, action: str) -> None:
        for name in ("rx-0", "tx-0"):
            folder = self._tree.folder(self._device.folder / "queues" / name)
            self._uevents.emit(action, self._tree.path_of(folder), "queues")

    def _enslave(self) -> None:
        if self._spec.master is None:
            return
        master = make_virtual(self._tree, self._spec.master)
        self._tree.link(self._device.folder / "master", master)
        self._tree.link(master / f"lower_{self._spec.name}", self._device.folder)


def make_virtual(tree: Tree, name: str) -> Path:
    """An interface that no device has: the loopback, a bond, a bridge."""
    folder = tree.sysfs / "devices/virtual/net" / name
    if not folder.exists():
        tree.folder(folder)
        state = "unknown" if name == "lo" else "up"
        tree.attributes(folder, {"address": _mac(name), "operstate": state, "mtu": 1500})
        tree.link(folder / "subsystem", tree.folder(tree.sysfs / "class/net"))
        tree.link(tree.sysfs / "class/net" / name, folder)
    return folder


def _mac(name: str) -> str:
    """Always the same for a name, and of no vendor."""
    if name == "lo":
        return "00:00:00:00:00:00"
    return f"52:54:00:{zlib.crc32(name.encode()).to_bytes(4, 'big')[1:].hex(':')}"
