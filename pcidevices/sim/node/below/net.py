from __future__ import annotations

import zlib

from pathlib import Path

from pcidevices.sim.node.below.ground import Ground
from pcidevices.sim.node.class_device import ClassDevice
from pcidevices.sim.node.spec import NetSpec
from pcidevices.sim.node.tree import BOTH, Tree


_UP, _DOWN = 0x1003, 0x1002


class Interface:
    """A network interface below *parent*: a new index each time, and in use only after the first time, at boot."""

    def __init__(self, ground: Ground, parent: Path, spec: NetSpec, *, is_boot: bool) -> None:
        self.name = spec.name
        self.index = next(ground.interfaces)
        self.addresses: tuple[str, ...] = ()
        self.gateway: str | None = None
        self._ground = ground
        self._tree = ground.tree
        self._parent = parent
        self._folder = parent / "net" / spec.name
        self._up = spec.up and is_boot
        self._master: str | None = None
        self._uppers: list[str] = []
        self._device: ClassDevice | None = self._appear()
        if self._up:
            self._use(spec)
        if is_boot and spec.elsewhere:
            self.leave()
        ground.network.add(self)

    @property
    def link_local(self) -> tuple[str, ...]:
        """The address that each interface has that is up."""
        octets = bytearray.fromhex(_mac(self.name).replace(":", ""))
        octets[0] ^= 2
        host = (octets[:3] + b"\xff\xfe" + octets[3:]).hex(":", 2)
        return (f"fe80::{host}/64",) if self._up else ()

    def set_addresses(self, addresses: tuple[str, ...], gateway: str | None) -> None:
        self._up, self.addresses, self.gateway = True, addresses, gateway
        self._show_state()

    def set_down(self) -> None:
        self._up, self.addresses, self.gateway = False, (), None
        self._show_state()

    def enslave(self, master: str) -> None:
        folder = make_virtual(self._tree, master)
        self._tree.link(self._folder / "master", folder)
        self._link(master, folder)
        self._master = master

    def free(self) -> None:
        if self._master is not None:
            self._tree.fell(self._folder / "master")
            self._unlink(self._master)
            self._master = None

    def put_on(self, upper: str) -> None:
        self._link(upper, make_virtual(self._tree, upper))
        self._uppers.append(upper)

    def take_off(self, upper: str) -> None:
        self._uppers.remove(upper)
        self._unlink(upper)
        remove_virtual(self._tree, upper)

    def leave(self) -> None:
        """For another network namespace."""
        self._disappear()
        self._tree.folder(self._folder.parent)

    def come_back(self) -> None:
        self._device = self._appear()

    def remove(self) -> None:
        self._disappear()
        self._tree.prune(self._folder.parent)
        self._ground.network.discard(self)

    def _use(self, spec: NetSpec) -> None:
        self.addresses, self.gateway = spec.addresses, spec.gateway
        if spec.master is not None:
            self.enslave(spec.master)
        for upper in spec.uppers:
            self.put_on(upper)

    def _appear(self) -> ClassDevice:
        self._ground.network.appear(self.name)
        device = ClassDevice(
            self._tree,
            self._ground.uevents,
            self._folder,
            subsystem="net",
            properties={"INTERFACE": self.name, "IFINDEX": self.index},
        )
        about: dict[str, str | int] = {"address": _mac(self.name), "ifindex": self.index, "mtu": 1500, "type": 1}
        device.describe(about, device=self._parent)
        self._show_state()
        device.announce("add")
        self._announce_queues("add")
        return device

    def _disappear(self) -> None:
        if self._device is None:
            return
        self.free()
        for upper in tuple(self._uppers):
            self.take_off(upper)
        self._up, self.addresses, self.gateway = False, (), None
        self._ground.network.vanish(self.name)
        self._announce_queues("remove")
        self._device.remove()
        self._device = None

    def _show_state(self) -> None:
        state = {"operstate": "up" if self._up else "down", "flags": hex(_UP if self._up else _DOWN)}
        self._tree.attributes(self._folder, state)
        if self._up:
            self._tree.attribute(self._folder / "carrier", "1", BOTH)
        else:
            self._tree.fell(self._folder / "carrier")

    def _announce_queues(self, action: str) -> None:
        for name in ("rx-0", "tx-0"):
            folder = self._tree.folder(self._folder / "queues" / name)
            self._ground.uevents.emit(action, self._tree.path_of(folder), "queues")

    def _link(self, upper: str, folder: Path) -> None:
        self._tree.link(self._folder / f"upper_{upper}", folder)
        self._tree.link(folder / f"lower_{self.name}", self._folder)

    def _unlink(self, upper: str) -> None:
        self._tree.fell(self._folder / f"upper_{upper}")
        self._tree.fell(self._tree.sysfs / "devices/virtual/net" / upper / f"lower_{self.name}")


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


def remove_virtual(tree: Tree, name: str) -> None:
    """What `make_virtual` has made."""
    tree.fell(tree.sysfs / "class/net" / name)
    tree.fell(tree.sysfs / "devices/virtual/net" / name)


def _mac(name: str) -> str:
    """Always the same for a name, and of no vendor."""
    if name == "lo":
        return "00:00:00:00:00:00"
    return f"52:54:00:{zlib.crc32(name.encode()).to_bytes(4, 'big')[1:].hex(':')}"
