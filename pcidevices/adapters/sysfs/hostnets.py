"""What of the host hangs on a network interface: bonds, bridges, VLANs, routes, addresses. Blocking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pcidevices.domain.sight import HostUse

from .certain import entries, parsed, target
from .routetables import Routes, addresses_6_in, routes_4_in, routes_6_in


_UPPER = "upper_"


def interface_uses(interfaces: Iterable[str], *, sysfs: Path, proc: Path) -> Iterator[HostUse]:
    """
    The uses of network interfaces.

    procfs has no IPv4 addresses by interface; an interface that is up has a connected route for each. What stands
    on the interface but in another network namespace (a container's macvlan) leaves no trace here.
    """
    net = proc / "1/net"
    routes = {"IPv4": parsed(net / "route", routes_4_in)}
    addresses: dict[str, str] = {}
    if {"if_inet6", "ipv6_route"} & set(entries(net)):  # neither with ipv6.disable=1
        routes["IPv6"] = parsed(net / "ipv6_route", routes_6_in)
        addresses = parsed(net / "if_inet6", addresses_6_in)
    for name in interfaces:
        yield from _upper_interfaces(sysfs / "class/net" / name)
        yield from _routes(name, routes)
        yield from _addresses(name, addresses)


def _upper_interfaces(interface: Path) -> Iterator[HostUse]:
    """A master (bond, bridge, team, Open vSwitch) is among those above it; VLANs and macvlans are no masters."""
    names = entries(interface)
    master = target(interface / "master") if "master" in names else None
    if master is not None:
        yield HostUse(f"{interface.name} belongs to {master}")
    for upper in (name.removeprefix(_UPPER) for name in names if name.startswith(_UPPER)):
        if upper != master:
            yield HostUse(f"{interface.name} carries {upper}")


def _routes(name: str, routes: dict[str, dict[str, Routes]]) -> Iterator[HostUse]:
    for family, by_interface in routes.items():
        if found := by_interface.get(name):
            yield HostUse(f"{family} routes go through {name}: {found}")


def _addresses(name: str, addresses: dict[str, str]) -> Iterator[HostUse]:
    if address := addresses.get(name):
        yield HostUse(f"{name} has the address {address}")
