"""
Which network interfaces have IPv4 addresses that the main table of routes does not show. Blocking.

An interface has such an address when its routes are in another table (as with NetworkManager's ``ipv4.route-table``),
or when there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pcidevices.domain.sight import HostUse

from .addresstables import OnLink, Trie, neighbours_in, trie_in
from .certain import entries, parsed, text


_UP = 0x1
_TUNNEL_TYPES = frozenset({"512", "65534", "768", "776", "778"})
"""PPP; none, as of TUN, WireGuard and Tailscale; IPIP, SIT and GRE (if_arp.h)."""
_TUNNEL_KINDS = frozenset({"DEVTYPE=geneve", "DEVTYPE=vxlan", "DEVTYPE=wireguard"})
_GONE = (FileNotFoundError, NotADirectoryError)


def address_uses(
    names: Iterable[str], on_link: OnLink, *, own: Mapping[int, str] | None, sysfs: Path, proc: Path
) -> Iterator[HostUse]:
    """
    The uses of interfaces that have no IPv4 routes in the main table, which is *on_link*.

    The kernel tells addresses by interface only to those who are in the network namespace: *own*, by the interfaces'
    indices. The agent's pod is not in it. From there two things are seen: the host's neighbours by interface, and its
    addresses without interfaces. An address for which there is no good explanation counts for every interface that is
    up.

    Raises:
        OSError: something cannot be read.
    """
    net, folder = proc / "1/net", sysfs / "class/net"
    trie, neighbours = parsed(net / "fib_trie", trie_in), parsed(net / "arp", neighbours_in)
    up = [name for name in names if is_up(folder / name)]
    if not up:
        return
    bare = _bare(trie, on_link)
    unexplained = (
        [*_beside_the_main_table(trie, on_link), *_too_many(bare, trie, on_link, folder)] if own is None else []
    )
    is_all = not trie.has_other_routes and (own is not None or not bare)
    for name in up:
        if own is not None and (address := own.get(int(text(folder / name / "ifindex")))):
            yield HostUse(f"{name} has the address {address}")
        elif not is_all and name in neighbours:
            yield HostUse(f"{name} has the IPv4 neighbour {_some(neighbours[name], 'and')}")
        elif unexplained:
            yield HostUse(
                f"the host has the address {_some(unexplained, 'or')}, perhaps on {name}, which is up: see "
                f"`ip -4 address show dev {name}`, and set it down if nothing needs it"
            )


def is_up(interface: Path) -> bool:
    """Whether it is meant to work, also without a cable; raises OSError."""
    return parsed(interface / "flags", lambda lines: bool(int("".join(lines), 16) & _UP))


def _beside_the_main_table(trie: Trie, on_link: OnLink) -> Iterator[IPv4Address]:
    """Addresses for which another table has a subnet that is nearer than those in the main table, or just as near."""
    inside: dict[IPv4Network, list[IPv4Address]] = {}
    for address in trie.addresses:
        other = max((one for one in trie.subnets if address in one), key=_length, default=None)
        if other is not None and other.prefixlen >= _nearest(address, on_link):
            inside.setdefault(other, []).append(address)
    for network, addresses in inside.items():
        if len(addresses) > sum(network in subnets for subnets in on_link.subnets.values()):
            yield from addresses


def _bare(trie: Trie, on_link: OnLink) -> list[IPv4Address]:
    """Addresses without a subnet in any table."""
    return [
        address
        for address in trie.addresses
        if not _nearest(address, on_link) and not any(address in one for one in trie.subnets)
    ]


def _too_many(bare: Sequence[IPv4Address], trie: Trie, on_link: OnLink, folder: Path) -> Sequence[IPv4Address]:
    """
    All of *bare* if there are more than interfaces that must have one.

    Such is each tunnel that is up, and each interface with a route to a gateway, if what it reaches without a gateway
    has none of the host's addresses.
    """
    if not bare:
        return ()
    with_another = {
        name
        for name, subnets in on_link.subnets.items()
        if any(address in one for one in subnets for address in trie.addresses)
    }
    candidates = set(entries(folder)) - with_another
    holders = [name for name in candidates if name in on_link.to_gateways or _is_tunnel_that_is_up(folder / name)]
    return bare if len(bare) > len(holders) else ()


def _is_tunnel_that_is_up(interface: Path) -> bool:
    try:
        kinds = parsed(interface / "uevent", frozenset)
        is_tunnel = text(interface / "type") in _TUNNEL_TYPES or not _TUNNEL_KINDS.isdisjoint(kinds)
        return is_tunnel and is_up(interface)
    except _GONE:
        return False


def _nearest(address: IPv4Address, on_link: OnLink) -> int:
    """The length of the longest prefix in the main table that an address is in, or 0."""
    return max((_length(one) for subnets in on_link.subnets.values() for one in subnets if address in one), default=0)


def _length(network: IPv4Network) -> int:
    return network.prefixlen


def _some(things: Sequence[object], word: str) -> str:
    return f"{things[0]} {word} {len(things) - 1} more" if len(things) > 1 else str(things[0])
