"""What of the host hangs on a network interface: bonds, bridges, VLANs, routes, addresses. Blocking."""

from __future__ import annotations

import errno

from collections.abc import Iterator, Sequence
from pathlib import Path

from pcidevices.domain.legible import legible
from pcidevices.domain.sight import HostUse

from .addressdump import is_own, own_addresses_4
from .addresstables import OnLink, interfaces_in, on_link_in
from .certain import entries, parsed, target
from .hostaddresses import address_uses, is_up
from .routetables import Routes, addresses_6_in, routes_4_in, routes_6_in


_UPPER = "upper_"


def interface_uses(interfaces: Sequence[str], *, sysfs: Path, proc: Path) -> Iterator[HostUse]:
    """
    The uses of network interfaces.

    What stands on the interface but in another network namespace (a container's macvlan) leaves no trace here.

    Raises:
        OSError: something cannot be read, or *proc* is not of the network namespace that *sysfs* is of.
    """
    net = proc / "1/net"
    _demand(interfaces, net / "dev", sysfs / "class/net")
    routes_4, on_link = parsed(net / "route", _main_table)
    routes = {"IPv4": routes_4}
    addresses: dict[str, str] = {}
    if {"if_inet6", "ipv6_route"} & set(entries(net)):  # neither with ipv6.disable=1
        routes["IPv6"] = parsed(net / "ipv6_route", routes_6_in)
        addresses = parsed(net / "if_inet6", addresses_6_in)
    for name in interfaces:
        yield from _upper_interfaces(sysfs / "class/net" / name)
        yield from _routes(name, routes)
        yield from _addresses(name, addresses)
    without_routes = [name for name in interfaces if name not in routes_4]
    if without_routes:
        own = own_addresses_4() if is_own(proc) else None
        yield from address_uses(without_routes, on_link, own=own, sysfs=sysfs, proc=proc)


def _demand(interfaces: Sequence[str], table: Path, folder: Path) -> None:
    """
    Raise an OSError unless a table has these interfaces, and all others that are up.

    In another network namespace none of the host's has a route; but a container's only one may have the same name as
    one of the host's. An interface that comes or goes, which only one of the two may show, is never up.
    """
    before = entries(folder)
    known = parsed(table, interfaces_in)
    for name in (*interfaces, *before):
        if name not in known and (name in interfaces or _is_there_and_up(folder / name)):
            raise OSError(
                errno.ENXIO, f"it has no {legible(name)}, which sysfs has: of another network namespace?", str(table)
            )


def _is_there_and_up(interface: Path) -> bool:
    try:
        return is_up(interface)
    except (FileNotFoundError, NotADirectoryError):  # or `bonding_masters`, a file beside the interfaces
        return False


def _main_table(lines: Iterator[str]) -> tuple[dict[str, Routes], OnLink]:
    kept = list(lines)
    return routes_4_in(iter(kept)), on_link_in(iter(kept))


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
