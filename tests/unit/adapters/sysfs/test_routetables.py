"""The kernel's tables of routes and addresses."""

from __future__ import annotations

import sys

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network

import pytest

from pcidevices.adapters.sysfs.routetables import addresses_6_in, routes_4_in, routes_6_in


HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
NONE_6 = "0" * 32


def route_4(network: str, name: str = "eth0") -> str:
    parsed = IPv4Network(network)
    to, mask = (int.from_bytes(a.packed, sys.byteorder) for a in (parsed.network_address, parsed.netmask))
    return f"{name}\t{to:08X}\t00000000\t0001\t0\t0\t100\t{mask:08X}\t0\t0\t0        "


def route_6(network: str, name: str = "eth0") -> str:
    parsed = IPv6Network(network)
    to = f"{parsed.network_address.packed.hex()} {parsed.prefixlen:02x}"
    return f"{to} {NONE_6} 00 {NONE_6} 00000100 00000001 00000000 00000001 {name:>8}"


def told(routes: Mapping[str, object]) -> dict[str, str]:
    return {name: str(found) for name, found in routes.items()}


def test_a_route_is_told_by_its_network() -> None:
    routes = routes_4_in(iter([HEAD, route_4("10.1.2.0/23"), route_4("192.0.2.0/24", "eth1")]))

    assert told(routes) == {"eth0": "10.1.2.0/23", "eth1": "192.0.2.0/24"}


@pytest.mark.parametrize("order", [1, -1])
def test_the_default_route_is_told_before_others(order: int) -> None:
    lines = [route_4("10.0.0.0/8"), route_4("0.0.0.0/0")][::order]

    assert told(routes_4_in(iter([HEAD, *lines]))) == {"eth0": "the default route and 1 more"}


def test_many_routes_are_told_in_a_few_words() -> None:
    lines = [route_4("10.0.0.0/8")] * 100_000

    assert told(routes_4_in(iter([HEAD, *lines]))) == {"eth0": "10.0.0.0/8 and 99999 more"}


@pytest.mark.parametrize(
    "table",
    [
        [],
        ["x"],
        [HEAD, ""],
        [HEAD, "eth0"],
        [HEAD, "eth0\tX\t0\t1\t0\t0\t0\t0"],
        [HEAD, "eth0\t1FFFFFFFF\t0\t1\t0\t0\t0\t0"],
    ],
)
def test_what_is_no_table_of_routes_is_an_error(table: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no headline|no line"):
        routes_4_in(iter(table))


def test_routes_that_every_interface_has_do_not_count() -> None:
    """Link-local and multicast; and the loopback's."""
    lines = map(route_6, ("fe80::/64", "fe80::1/128", "febf::/16", "ff00::/8"))

    assert routes_6_in(iter([*lines, route_6("::1/128", "lo"), route_6("::/0", "lo")])) == {}


def test_other_ipv6_routes_count() -> None:
    lines = [route_6("2001:db8::/64"), route_6("::/0"), route_6("fec0::/64", "eth1"), route_6("fd00::/8", "eth2")]

    routes = told(routes_6_in(iter(lines)))
    assert routes == {"eth0": "the default route and 1 more", "eth1": "fec0::/64", "eth2": "fd00::/8"}


@pytest.mark.parametrize("line", ["", "x", f"{NONE_6} zz", f"20 40 {NONE_6} 00 {NONE_6} 1 1 0 1 eth0"])
def test_what_is_no_ipv6_route_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="is no line of IPv6 routes"):
        routes_6_in(iter([line]))


def test_addresses_of_global_scope_count() -> None:
    """The first of an interface is enough."""
    lines = [
        "fe80000000000000505400fffe120a00 02 40 20 80     eth0",
        "20010db8000000000000000000000001 02 40 00 80     eth0",
        "20010db8000000000000000000000002 02 40 00 80     eth0",
        "00000000000000000000000000000001 01 80 10 80       lo",
        "fe80000000000000505400fffe120b00 03 40 20 80     eth1",
    ]

    assert addresses_6_in(iter(lines)) == {"eth0": "2001:db8::1"}


@pytest.mark.parametrize("line", ["", "x", "20010db8 02 40 00 80 eth0", f"{'g' * 32} 02 40 00 80 eth0"])
def test_what_is_no_ipv6_address_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="is no line of IPv6 addresses"):
        addresses_6_in(iter([line]))
