"""The kernel's tables of IPv4 addresses, neighbours and interfaces."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from pcidevices.adapters.sysfs.addresstables import interfaces_in, neighbours_in, on_link_in, trie_in


TRIE = """Id 200:
  +-- 0.0.0.0/4 2 0 2
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.9.0.0
        /24 link UNICAST tos=0x10
     |-- 10.9.3.1
        /32 link UNICAST
Main:
  +-- 10.8.0.0/23 2 0 2
     |-- 10.8.0.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 2 0 2
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 10.9.0.5
        /32 host LOCAL
     |-- 10.9.0.255
        /32 link BROADCAST
""".splitlines()
ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT"
NEIGHBOURS = "IP address       HW type     Flags       HW address            Mask     Device"
DEVICES = ["Inter-|   Receive", " face |bytes"]


def test_the_host_s_addresses_and_the_subnets_of_other_tables_are_told() -> None:
    trie = trie_in(iter(TRIE))

    assert trie.addresses == (IPv4Address("10.9.0.5"),)
    assert trie.subnets == {IPv4Network("10.9.0.0/24")}
    assert trie.has_other_routes


def test_routes_that_lead_to_the_host_itself_are_no_other_routes() -> None:
    """As for transparent proxies."""
    trie = trie_in(iter(["Id 100:", "  |-- 0.0.0.0", "     /0 host LOCAL"]))

    assert (trie.addresses, trie.has_other_routes) == ((), False)


def test_an_address_that_is_shown_in_two_tables_is_one() -> None:
    """Without rules the main table and the local one are one, which is shown as both."""
    shown = ["  |-- 10.0.0.1", "     /32 host LOCAL"]

    assert trie_in(iter(["Main:", *shown, "Local:", *shown])).addresses == (IPv4Address("10.0.0.1"),)


@pytest.mark.parametrize(
    "table",
    [
        ["x"],
        [""],
        ["Local:", "     /32 host LOCAL"],
        ["  |-- 10.0.0.1", "     /32 host LOCAL"],
        ["Local:", "  |-- 10.0.0.1", "     /33 host LOCAL"],
        ["Local:", "  |-- ten", "     /32 host LOCAL"],
    ],
)
def test_what_is_no_table_of_all_routes_is_an_error(table: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no line|netmask|Expected"):
        trie_in(iter(table))


def test_routes_to_nowhere_are_of_no_interface() -> None:
    assert on_link_in(iter([ROUTES, "*\t0000000A\t00000000\t0200\t0\t0\t0\t000000FF\t0\t0\t0"])).subnets == {}


@pytest.mark.parametrize("line", ["eth0", "eth0\tX\t0\t1\t0\t0\t0\tFF", "eth0\t1FFFFFFFF\t0\t1\t0\t0\t0\tFF"])
def test_what_is_no_route_is_an_error(line: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        on_link_in(iter([ROUTES, line]))


def test_a_neighbour_is_told_with_its_interface_whatever_its_name() -> None:
    lines = [f"10.9.0.1         0x1         0x2         52:54:00:12:34:56     *        eth\u20030{end}" for end in "ab"]

    assert neighbours_in(iter([NEIGHBOURS, *lines])) == {"eth\u20030a": ["10.9.0.1"], "eth\u20030b": ["10.9.0.1"]}


@pytest.mark.parametrize("table", [[], ["x"], [NEIGHBOURS, "eth0"], [NEIGHBOURS, "a 0x1 0x2 52:54 * eth0"]])
def test_what_is_no_table_of_neighbours_is_an_error(table: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no headline|no line|Expected"):
        neighbours_in(iter(table))


def test_interfaces_are_told_whatever_their_names() -> None:
    assert interfaces_in(iter([*DEVICES, "    lo: 1 2", "eth\u20030:1 2"])) == {"lo", "eth\u20030"}


@pytest.mark.parametrize("table", [[], DEVICES[:1], ["x", "y"], [*DEVICES, "lo"]])
def test_what_is_no_table_of_interfaces_is_an_error(table: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no headline|without an interface"):
        interfaces_in(iter(table))
