"""What the kernel's tables say of IPv4 addresses, subnets, neighbours and interfaces (proc_pid_net(5)). Pure."""

from __future__ import annotations

import re
import sys

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


_LONGEST_QUOTE = 60
_GATEWAY, _MASK, _ROUTE_FIELDS = 2, 7, 8
_NEIGHBOUR_FIELDS = 6
_NO_INTERFACE = "*"
_HOST_LENGTH = 32
_HEADLINE = re.compile(r"(Main|Local|Id \d+):")
_NODE = re.compile(r"\s+\+-- \S+ \d+ \d+ \d+")
_LEAF = re.compile(r"\s+\|-- (\S+)")
_ENTRY = re.compile(r"\s+/(\d+) (\S+) (\S+)")


@dataclass(frozen=True, slots=True)
class Trie:
    """
    What ``net/fib_trie`` tells, which has all tables but names no interfaces.

    *addresses* are the host's own, without the loopback's; *subnets* are what tables beside the main one and the local
    one reach without a gateway; *has_other_routes*: these tables have routes of any kind to other hosts.
    """

    addresses: tuple[IPv4Address, ...]
    subnets: frozenset[IPv4Network]
    has_other_routes: bool


@dataclass(frozen=True, slots=True)
class OnLink:
    """Of the main table: by interface what is reached without a gateway, and the interfaces that lead to gateways."""

    subnets: dict[str, list[IPv4Network]]
    to_gateways: frozenset[str]


def trie_in(lines: Iterator[str]) -> Trie:
    """
    From ``net/fib_trie`` (net/ipv4/fib_trie.c). A host without addresses has no tables.

    Raises:
        ValueError: there is a line that the kernel does not write.
    """
    addresses: dict[IPv4Address, None] = {}
    subnets: set[IPv4Network] = set()
    has_other_routes = False
    table = leaf = ""
    for line in lines:
        if headline := _HEADLINE.fullmatch(line):
            table, leaf = headline[1], ""
        elif found := _LEAF.fullmatch(line):
            leaf = found[1]
        elif not _NODE.fullmatch(line):
            entry = _ENTRY.match(line)
            if entry is None or not table or not leaf:
                raise ValueError(f"{line[:_LONGEST_QUOTE]!r} is no line of a table of routes")
            network, scope, kind = IPv4Network(f"{leaf}/{entry[1]}"), entry[2], entry[3]
            if table.startswith("Id"):
                has_other_routes |= kind == "UNICAST"
                if (scope, kind) == ("link", "UNICAST") and 0 < network.prefixlen < _HOST_LENGTH:
                    subnets.add(network)
            elif kind == "LOCAL" and network.prefixlen == _HOST_LENGTH and not network.is_loopback:
                addresses[network.network_address] = None  # the two are one table, shown twice, until there are rules
    return Trie(tuple(addresses), frozenset(subnets), has_other_routes)


def on_link_in(lines: Iterator[str]) -> OnLink:
    """
    From ``net/route``. A default route without a gateway is left out, since it tells of no address.

    Raises:
        ValueError: there is a line that the kernel does not write.
    """
    next(lines, None)
    subnets: defaultdict[str, list[IPv4Network]] = defaultdict(list)
    to_gateways: set[str] = set()
    for line in lines:
        fields = line.split()
        if len(fields) < _ROUTE_FIELDS:
            raise ValueError(f"{line[:_LONGEST_QUOTE]!r} is no line of routes")
        name, network, gateway, mask = fields[0], fields[1], fields[_GATEWAY], fields[_MASK]
        if name == _NO_INTERFACE:
            continue
        if int(gateway, 16):
            to_gateways.add(name)
        elif length := int(mask, 16).bit_count():
            packed = int(network, 16).to_bytes(4, sys.byteorder)
            subnets[name].append(IPv4Network((packed, length)))
    return OnLink(dict(subnets), frozenset(to_gateways))


def neighbours_in(lines: Iterator[str]) -> dict[str, list[str]]:
    """
    By interface the hosts next to it, from ``net/arp``.

    Raises:
        ValueError: there is a line that the kernel does not write, or no headline.
    """
    if not next(lines, "").startswith("IP address"):
        raise ValueError("there is no headline in it")
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        fields = line.split(maxsplit=_NEIGHBOUR_FIELDS - 1)
        if len(fields) != _NEIGHBOUR_FIELDS:
            raise ValueError(f"{line[:_LONGEST_QUOTE]!r} is no line of neighbours")
        found[fields[-1]].append(str(IPv4Address(fields[0])))
    return dict(found)


def interfaces_in(lines: Iterator[str]) -> frozenset[str]:
    """
    All interfaces of the network namespace, from ``net/dev``.

    Raises:
        ValueError: there is a line that the kernel does not write, or no headline.
    """
    if not next(lines, "").startswith("Inter-|") or not next(lines, "").startswith(" face |"):
        raise ValueError("there is no headline in it")
    names = [line.partition(":") for line in lines]
    if not all(colon for _, colon, _ in names):
        raise ValueError("there is a line in it without an interface")
    return frozenset(name.strip(" ") for name, _, _ in names)
