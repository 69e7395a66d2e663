"""A node that does something with its disks and interfaces: /sys, /proc and udev's database."""

from __future__ import annotations

import os
import sys

from ipaddress import IPv4Network
from pathlib import Path

from pcidevices.adapters.sysfs.hostuse import host_uses
from pcidevices.adapters.sysfs.scan import scan
from tests.support.sysfs_tree import SysfsTree


SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
ROUTES = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
DEVICES = "Inter-|   Receive  |  Transmit\n face |bytes    packets|bytes    packets\n"
NEIGHBOURS = "IP address       HW type     Flags       HW address            Mask     Device\n"
ROOT = "22 1 0:21 / / rw,relatime shared:1 - overlay overlay rw\n"


class Host:
    """Nothing is in use at first; udev is not there before it is told something."""

    def __init__(self, root: Path, tree: SysfsTree) -> None:
        self.tree = tree
        self.proc = root / "proc"
        self.udev = root / "run/udev/data"
        (self.proc / "1/net").mkdir(parents=True)
        self.write("1/mountinfo", ROOT)
        self.write("swaps", SWAPS)
        self.write("1/net/route", ROUTES)
        self.write("1/net/ipv6_route", "")
        self.write("1/net/if_inet6", "")
        self.write("1/net/dev", DEVICES)
        self.write("1/net/arp", NEIGHBOURS)
        self.write("1/net/fib_trie", "Local:\n")
        (tree.root / "module").mkdir(exist_ok=True)

    def write(self, name: str, content: str) -> None:
        (self.proc / name).write_text(content)

    def add(self, name: str, line: str) -> None:
        with (self.proc / name).open("a") as file:
            file.write(f"{line}\n")

    def interface(self, address: str, name: str, *, through: str = "", up: bool = False) -> None:
        """An interface below a device, with all that the host tells of one."""
        self.tree.interface(address, name, through=through)
        self._show(name, up=up)

    def virtual_interface(self, name: str, *, up: bool = False) -> None:
        self.tree.virtual_interface(name)
        self._show(name, up=up)

    def _show(self, name: str, *, up: bool) -> None:
        (self.tree.root / "class/net" / name / "flags").write_text("0x1003\n" if up else "0x1002\n")
        with (self.proc / "1/net/dev").open("ab") as file:
            file.write(os.fsencode(f"{name:>6}: 0 0 0 0\n"))

    def route(self, name: str, network: str, *, gateway: bool = False) -> None:
        """In the main table of IPv4."""
        to = IPv4Network(network)
        first, mask = (f"{int.from_bytes(one.packed, sys.byteorder):08X}" for one in (to.network_address, to.netmask))
        way = "0102000A\t0003" if gateway else "00000000\t0001"
        self.add("1/net/route", f"{name}\t{first}\t{way}\t0\t0\t0\t{mask}\t0\t0\t0")

    def mount(self, source: str, where: str, *, numbers: str = "0:44", kind: str = "ext4") -> None:
        self.add("1/mountinfo", f"99 22 {numbers} / {where} rw,relatime shared:2 - {kind} {source} rw")

    def label(self, name: str, kind: str) -> None:
        self.udev.mkdir(parents=True, exist_ok=True)
        (self.udev / f"b{self.tree.numbers(name)}").write_text(f"I:1234\nE:ID_FS_TYPE={kind}\nG:systemd\n")

    def uses(self, address: str) -> list[str]:
        sysfs = self.tree.root
        device = next(device for device in scan(sysfs).scan.devices if str(device.address) == address)
        return [use.text for use in host_uses(device, sysfs=sysfs, proc=self.proc, udev=self.udev)]
