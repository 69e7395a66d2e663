"""What the kernel's tables of routes and of IPv6 addresses say (proc_pid_net(5)). Pure."""

from __future__ import annotations

import sys

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address


_FIELDS_4, _FIELDS_6, _FIELDS_ADDRESS = 8, 10, 6
_LOOPBACK = "lo"
_GLOBAL = "00"
_LINK_LOCAL, _LINK_LOCAL_BITS = 0xFE80, 0xFFC0
_MULTICAST = "ff"
_LONGEST_QUOTE = 60


@dataclass(slots=True)
class Routes:
    """The routes through one interface: the default one if it is among them, or else the first, and how many more."""

    first: str
    has_default: bool
    more: int = 0

    def __str__(self) -> str:
        one = "the default route" if self.has_default else self.first
        return f"{one} and {self.more} more" if self.more else one


def routes_4_in(lines: Iterator[str]) -> dict[str, Routes]:
    """
    By interface, from ``net/route``. It is the main table alone, which has the connected routes.

    Raises:
        ValueError: there is a line that the kernel does not write, or no headline.
    """
    if not next(lines, "").startswith("Iface"):
        raise ValueError("there is no headline in it")
    found: dict[str, Routes] = {}
    for line in lines:
        fields = line.split()
        try:
            name, network, mask = fields[0], int(fields[1], 16), int(fields[_FIELDS_4 - 1], 16)
            length = mask.bit_count()
            _add(found, name, f"{_address_4(network)}/{length}", is_default=length == 0)
        except (IndexError, ValueError, OverflowError) as error:
            raise ValueError(f"{line[:_LONGEST_QUOTE]!r} is no line of routes") from error
    return found


def routes_6_in(lines: Iterator[str]) -> dict[str, Routes]:
    """
    By interface, from ``net/ipv6_route``, without those that every interface that is up has.

    Raises:
        ValueError: there is a line that the kernel does not write.
    """
    found: dict[str, Routes] = {}
    for line in lines:
        fields = line.split()
        try:
            network, length, name = fields[0], int(fields[1], 16), fields[_FIELDS_6 - 1]
            if name != _LOOPBACK and not _is_everywhere(network):
                _add(found, name, f"{_address_6(network)}/{length}", is_default=length == 0)
        except (IndexError, ValueError) as error:
            raise ValueError(f"{line[:_LONGEST_QUOTE]!r} is no line of IPv6 routes") from error
    return found


def addresses_6_in(lines: Iterator[str]) -> dict[str, str]:
    """
    By interface one address of global scope, from ``net/if_inet6``.

    Raises:
        ValueError: there is a line that the kernel does not write.
    """
    found: dict[str, str] = {}
    for line in lines:
        fields = line.split()
        try:
            address, scope, name = fields[0], fields[3], fields[_FIELDS_ADDRESS - 1]
            if scope == _GLOBAL:
                found.setdefault(name, str(_address_6(address)))
        except (IndexError, ValueError) as error:
            raise ValueError(f"{line[:_LONGEST_QUOTE]!r} is no line of IPv6 addresses") from error
    return found


def _add(found: dict[str, Routes], name: str, network: str, *, is_default: bool) -> None:
    if name in found:
        found[name].more += 1
        found[name].has_default |= is_default
    else:
        found[name] = Routes(network, is_default)


def _address_4(number: int) -> IPv4Address:
    """The kernel prints the bytes as a number of this machine."""
    return IPv4Address(number.to_bytes(4, sys.byteorder))


def _address_6(digits: str) -> IPv6Address:
    if len(digits) != 32:  # noqa: PLR2004
        raise ValueError(f"{digits!r} is no address")
    return IPv6Address(int(digits, 16))


def _is_everywhere(network: str) -> bool:
    return network.startswith(_MULTICAST) or int(network[:4], 16) & _LINK_LOCAL_BITS == _LINK_LOCAL
