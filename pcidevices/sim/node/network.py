"""What the host does with its network interfaces: addresses, routes, bonds and bridges, network namespaces."""

from __future__ import annotations

import sys

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface
from typing import TYPE_CHECKING

from pcidevices.sim.node.locks import BigLock
from pcidevices.sim.node.tree import Tree


if TYPE_CHECKING:
    from pcidevices.sim.node.below.net import Interface

_ROUTE_HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
_DEVICES_HEAD = "Inter-|   Receive  |  Transmit\n face |bytes    packets|bytes    packets"
_NEIGHBOURS_HEAD = "IP address       HW type     Flags       HW address            Mask     Device"
_NONE_6 = "0" * 32
_UP, _GATEWAY = 0x1, 0x2


class Network:
    """
    The interfaces of the machine by name, and /proc/1/net, which tells of their addresses and routes.

    All of it goes with the interface, and what comes back has none of it.
    """

    def __init__(self, tree: Tree, lock: BigLock) -> None:
        self._tree = tree
        self._lock = lock
        self._interfaces: dict[str, Interface] = {}
        self._present = ["lo"]
        self._shown: dict[str, str] = {}
        tree.folder(tree.proc / "1/net")
        self.show()

    def add(self, interface: Interface) -> None:
        self._interfaces[interface.name] = interface
        self.show()

    def discard(self, interface: Interface) -> None:
        del self._interfaces[interface.name]
        self.show()

    def appear(self, name: str) -> None:
        """In the host's network namespace."""
        self._present.append(name)
        self.show()

    def vanish(self, name: str) -> None:
        self._present.remove(name)
        self.show()

    def set_address(self, name: str, *addresses: str, gateway: str | None = None) -> None:
        """Bring an interface up with these addresses (``10.0.0.1/24``) and no others; *gateway* is the default one."""
        with self._lock:
            self._interfaces[name].set_addresses(addresses, gateway)
            self.show()

    def set_down(self, name: str) -> None:
        """Without addresses."""
        with self._lock:
            self._interfaces[name].set_down()
            self.show()

    def enslave(self, name: str, master: str) -> None:
        """Let an interface belong to a bond or bridge, which is made if there is none."""
        with self._lock:
            self._interfaces[name].enslave(master)

    def free(self, name: str) -> None:
        with self._lock:
            self._interfaces[name].free()

    def put_on(self, name: str, upper: str) -> None:
        """Make a virtual interface (VLAN, macvtap) on an interface; it goes with it."""
        with self._lock:
            self._interfaces[name].put_on(upper)

    def take_off(self, name: str, upper: str) -> None:
        with self._lock:
            self._interfaces[name].take_off(upper)

    def send_away(self, name: str) -> None:
        """Into another network namespace: what is left is the empty folder that it was in."""
        with self._lock:
            self._interfaces[name].leave()
            self.show()

    def call_back(self, name: str) -> None:
        with self._lock:
            self._interfaces[name].come_back()

    def show(self) -> None:
        """Write what has changed."""
        every = list(self._interfaces.values())
        tables = {
            "route": "\n".join([_ROUTE_HEAD, *(line for each in every for line in _routes_4(each))]),
            "ipv6_route": "\n".join([_route_6("::1/128", "lo"), *(line for each in every for line in _routes_6(each))]),
            "if_inet6": "\n".join([_address(IPv6Interface("::1/128"), 1, "lo"), *_addresses(every)]),
            "fib_trie": "\n".join(["Local:", "  +-- 0.0.0.0/0 3 0 5", *_local_4("127.0.0.1"), *_own_4(every)]),
            "arp": _NEIGHBOURS_HEAD,
            "dev": "\n".join([_DEVICES_HEAD, *(f"{name:>6}: 0 0 0 0" for name in self._present)]),
        }
        for name, text in tables.items():
            if self._shown.get(name) != text:
                self._tree.attribute(self._tree.proc / "1/net" / name, text)
        self._shown = tables


def _own_4(interfaces: list[Interface]) -> Iterator[str]:
    for interface in interfaces:
        for address in map(ip_interface, interface.addresses):
            if isinstance(address, IPv4Interface):
                yield from _local_4(str(address.ip))


def _local_4(address: str) -> tuple[str, str]:
    return f"     |-- {address}", "        /32 host LOCAL"


def _routes_4(interface: Interface) -> Iterator[str]:
    for address in map(ip_interface, interface.addresses):
        if isinstance(address, IPv4Interface) and address.network.num_addresses > 1:
            network = address.network
            yield _route_4(interface.name, network.network_address.packed, network.netmask.packed)
    if interface.gateway is not None and ip_address(interface.gateway).version == 4:  # noqa: PLR2004
        yield _route_4(interface.name, bytes(4), bytes(4), gateway=ip_address(interface.gateway).packed)


def _route_4(name: str, network: bytes, mask: bytes, *, gateway: bytes = bytes(4)) -> str:
    to, way, width = (f"{int.from_bytes(word, sys.byteorder):08X}" for word in (network, gateway, mask))
    return f"{name}\t{to}\t{way}\t{_UP | _GATEWAY * any(gateway):04X}\t0\t0\t0\t{width}\t0\t0\t0"


def _routes_6(interface: Interface) -> Iterator[str]:
    for address in map(ip_interface, (*interface.addresses, *interface.link_local)):
        if isinstance(address, IPv6Interface):
            yield _route_6(str(address.network), interface.name)
            yield _route_6(f"{address.ip}/128", interface.name)
    if interface.link_local:
        yield _route_6("ff00::/8", interface.name)
    if interface.gateway is not None and ip_address(interface.gateway).version == 6:  # noqa: PLR2004
        yield _route_6("::/0", interface.name, gateway=interface.gateway)


def _route_6(network: str, name: str, *, gateway: str = "::") -> str:
    to = IPv6Interface(network)
    way, flags = IPv6Address(gateway).packed.hex(), 0x1 if gateway == "::" else 0x3
    numbers = f"00000400 00000001 00000000 {flags:08x}"
    return f"{to.packed.hex()} {to.network.prefixlen:02x} {_NONE_6} 00 {way} {numbers} {name:>8}"


def _addresses(interfaces: list[Interface]) -> Iterator[str]:
    for interface in interfaces:
        for address in map(ip_interface, (*interface.addresses, *interface.link_local)):
            if isinstance(address, IPv6Interface):
                yield _address(address, interface.index, interface.name)


def _address(address: IPv6Interface, index: int, name: str) -> str:
    scope = 0x20 if address.is_link_local else 0x10 if address.is_loopback else 0
    return f"{address.packed.hex()} {index:02x} {address.network.prefixlen:02x} {scope:02x} 80 {name:>8}"
