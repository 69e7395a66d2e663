"""A sysfs made of plain files, with folders and links where the kernel has them. It does nothing by itself."""

from __future__ import annotations

import itertools
import os

from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the configuration space and the board of one PCI function say."""

    ids: str = "8086:10d3"
    class_code: str = "020000"
    revision: str = "00"
    subsystem: str = "8086:0000"
    numa: int = -1
    boot_vga: int | None = None
    """Only display devices have the attribute."""
    buses: tuple[int, int] | None = None
    """Secondary and subordinate bus of a bridge."""
    total_vfs: int = 0
    attributes: dict[str, str | bytes] = field(default_factory=dict)
    """Any others, as they read."""


NIC = Card()
GPU = Card(ids="10de:1c03", class_code="030000", revision="a1", subsystem="1458:3702", boot_vga=0)
GPU_AUDIO = Card(ids="10de:10f1", class_code="040300", revision="a1", subsystem="1458:3702")
NVME = Card(ids="144d:a808", class_code="010802", subsystem="144d:a801")
AHCI = Card(ids="8086:2922", class_code="010601", revision="02", subsystem="1af4:1100")
VIRTIO_NET = Card(ids="1af4:1000", class_code="020000", subsystem="1af4:0001")
VIRTIO_DISK = Card(ids="1af4:1001", class_code="010000", subsystem="1af4:0002")
ROOT_PORT = Card(ids="8086:3420", class_code="060400", revision="02", subsystem="0000:0000", buses=(4, 4))
CARDBUS_BRIDGE = Card(ids="1180:0476", class_code="060700", subsystem="1028:0188", buses=(3, 6))
HOST_BRIDGE = Card(ids="8086:29c0", class_code="060000", subsystem="1af4:1100")
SRIOV_NIC = Card(ids="8086:10c9", class_code="020000", revision="01", subsystem="8086:a03c", total_vfs=7)
VF_NIC = Card(ids="8086:10ca", class_code="020000", revision="01", subsystem="8086:a03c")


class SysfsTree:
    """
    A node's ``/sys``: plug and unplug cards, bind drivers, hang interfaces and disks below.

    Plugging goes in the kernel's order (lib/kobject.c, drivers/base/core.c, drivers/base/bus.c): the
    folder, its attributes, last the bus's link. Unplugging is the other way round.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bus = root / "bus/pci/devices"
        self._graves = 0
        self._folders: dict[str, Path] = {}
        self._minors = itertools.count()
        for name in ("bus/pci/devices", "bus/pci/drivers", "class/net", "class/block", "devices", "fs"):
            (root / name).mkdir(parents=True)

    def __getitem__(self, address: str) -> Path:
        """The folder of a plugged function."""
        return self._folders[address]

    def plug(
        self,
        address: str,
        card: Card = NIC,
        *,
        driver: str | None = None,
        group: int | None = None,
        behind: str | None = None,
    ) -> Path:
        """Plug a card in, perhaps *behind* a bridge, and bind its driver."""
        parent = self._folders[behind] if behind else self.root / f"devices/pci{address.rpartition(':')[0]}"
        folder = parent / address
        folder.mkdir(parents=True)
        for name, content in _attributes(card).items():
            fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            os.write(fd, content if isinstance(content, bytes) else content.encode())
            os.close(fd)
        self._link(self.bus / address, folder)
        self._folders[address] = folder
        if group is not None:
            self._link(self._made(f"kernel/iommu_groups/{group}/devices") / address, folder)
            self._link(folder / "iommu_group", self.root / f"kernel/iommu_groups/{group}")
        if driver:
            self.bind(address, driver)
        return folder

    def unplug(self, address: str) -> None:
        """Take a card out, and everything below it."""
        folder = self._folders.pop(address)
        if (folder / "driver").is_symlink():
            self._unbind(address, folder)
        for top in ("class/net", "class/block"):
            for link in (self.root / top).iterdir():
                if f"/{address}/" in str(link.readlink()):
                    link.unlink()
        if (folder / "iommu_group").is_symlink():
            (folder / "iommu_group/devices" / address).unlink()
        (self.bus / address).unlink()
        # The kernel never gives a new folder the number of an old one; kept for a while, it is not free.
        grave = self._made("devices/.graves") / str(self._graves)
        self._graves += 1
        folder.rename(grave)
        for path in (*(grave / name for name in _attributes(NIC)), *sorted(grave.iterdir())):
            _remove(path)

    def bind(self, address: str, driver: str) -> None:
        """Give a function to a driver, in the place of the one it had."""
        folder = self._folders[address]
        if (folder / "driver").is_symlink():
            self._unbind(address, folder)
        home = self._made(f"bus/pci/drivers/{driver}")
        self._link(home / address, folder)
        self._link(folder / "driver", home)

    def virtual_function(self, of: str, address: str, card: Card = VF_NIC, *, group: int | None = None) -> Path:
        """Make one more virtual function of an SR-IOV card."""
        parent = self._folders[of]
        folder = self.plug(address, card, group=group)
        index = len(list(parent.glob("virtfn*")))
        self._link(folder / "physfn", parent)
        self._link(parent / f"virtfn{index}", folder)
        return folder

    def interface(self, address: str, name: str, *, through: str = "") -> None:
        """A network interface below a function, such as *through* ``virtio3``."""
        folder = self._made_below(self._folders[address] / through / "net" / name)
        self._link(self.root / "class/net" / name, folder)

    def disk(self, address: str, name: str, *, through: str = "", partitions: int = 0) -> None:
        """A disk below a function, such as *through* ``ata1/host0/target0:0:0/0:0:0:0``."""
        self._disk(self._folders[address] / through / "block" / name, partitions)

    def nvme(
        self, address: str, controller: str, *, namespaces: int = 1, serial: str = "", partitions: int = 0
    ) -> None:
        """An NVMe controller whose namespaces are its own (nvme_core.multipath=N)."""
        home = self._made_below(self._folders[address] / "nvme" / controller)
        _write(home / "serial", f"{serial:<20}\n")
        for number in range(1, namespaces + 1):
            self._disk(home / f"{controller}n{number}", partitions)

    def nvme_multipath(self, addresses: tuple[str, ...], *, subsystem: int, namespaces: int = 1) -> None:
        """One NVMe subsystem behind one or more controllers, as the kernel shows it by default."""
        home = self._made(f"devices/virtual/nvme-subsystem/nvme-subsys{subsystem}")
        self._link(self._made("class/nvme-subsystem") / home.name, home)
        for index, address in enumerate(addresses):
            name = f"nvme{subsystem + index}"
            controller = self._made_below(self._folders[address] / "nvme" / name)
            _write(controller / "address", f"{address}\n")
            self._link(home / name, controller)
            for number in range(1, namespaces + 1):
                path = self._made_below(controller / f"nvme{subsystem}c{subsystem + index}n{number}")
                _write(path / "hidden", "1\n")
                self._link(self.root / "class/block" / path.name, path)
        for number in range(1, namespaces + 1):
            self._disk(home / f"nvme{subsystem}n{number}", partitions=1)

    def virtual_disk(self, name: str) -> None:
        """A disk with no hardware of its own: ``loop0``, ``dm-0``."""
        self._disk(self.root / "devices/virtual/block" / name, 0)

    def virtual_interface(self, name: str) -> None:
        """An interface with no hardware of its own: ``lo``, a bridge, half of a veth pair."""
        self._link(self.root / "class/net" / name, self._made(f"devices/virtual/net/{name}"))

    def numbers(self, name: str) -> str:
        """Major and minor number of a disk or partition."""
        return (self.root / "class/block" / name / "dev").read_text().strip()

    def hold(self, name: str, holder: str) -> None:
        """Let a disk or partition be a part of *holder*, a virtual disk."""
        self._link(self.root / "class/block" / name / "holders" / holder, self.root / "class/block" / holder)

    def put_on(self, name: str, upper: str, *, is_master: bool = False) -> None:
        """Let an interface carry *upper*, a virtual one, perhaps as its master."""
        folder = (self.root / "class/net" / name).resolve()
        for link in (f"upper_{upper}", *(["master"] if is_master else [])):
            self._link(folder / link, self.root / "class/net" / upper)

    def _disk(self, folder: Path, partitions: int) -> None:
        self._block(folder)
        for number in range(1, partitions + 1):
            name = f"{folder.name}{'p' if folder.name[-1].isdigit() else ''}{number}"
            self._block(folder / name)
            _write(folder / name / "partition", f"{number}\n")

    def _block(self, folder: Path) -> None:
        self._made_below(folder / "holders")
        _write(folder / "dev", f"259:{next(self._minors)}\n")
        self._link(self.root / "class/block" / folder.name, folder)

    def _unbind(self, address: str, folder: Path) -> None:
        home = self.root / "bus/pci/drivers" / (folder / "driver").readlink().name
        (folder / "driver").unlink()
        (home / address).unlink()

    def _made(self, path: str) -> Path:
        return self._made_below(self.root / path)

    def _made_below(self, path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _link(self, path: Path, target: Path) -> None:
        path.symlink_to(os.path.relpath(target, path.parent))


def several(card: Card, count: int) -> list[tuple[str, Card]]:
    """*count* cards with addresses of their own, all told apart by their revisions."""
    return [
        (f"{n // 8192:04x}:{n // 256 % 32:02x}:{n // 8 % 32:02x}.{n % 8}", replace(card, revision=f"{n % 256:02x}"))
        for n in range(count)
    ]


def _attributes(card: Card) -> dict[str, str | bytes]:
    """In the order in which drivers/pci/pci-sysfs.c has them, which is that of making and removing."""
    vendor, device = card.ids.split(":")
    sub_vendor, sub_device = card.subsystem.split(":")
    found: dict[str, str | bytes] = {
        "vendor": f"0x{vendor}\n",
        "device": f"0x{device}\n",
        "subsystem_vendor": f"0x{sub_vendor}\n",
        "subsystem_device": f"0x{sub_device}\n",
        "revision": f"0x{card.revision}\n",
        "class": f"0x{card.class_code}\n",
        "numa_node": f"{card.numa}\n",
    }
    if card.boot_vga is not None:
        found["boot_vga"] = f"{card.boot_vga}\n"
    if card.buses:
        found |= {"secondary_bus_number": f"{card.buses[0]}\n", "subordinate_bus_number": f"{card.buses[1]}\n"}
    if card.total_vfs:
        found |= {"sriov_totalvfs": f"{card.total_vfs}\n", "sriov_numvfs": "0\n"}
    return found | card.attributes


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _write(path: Path, content: str) -> None:
    path.write_text(content)
