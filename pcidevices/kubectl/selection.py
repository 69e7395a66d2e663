"""
Which devices a person means.

A word may be a PCIDevice's name, an address, a resource name, a network interface or a disk; or any part of
a name, a resource name or a description. What is exactly so comes before what is so in part. Two words, a
node and an address, are one device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pcidevices.domain.address import PciAddress
from pcidevices.domain.printable import plain
from pcidevices.errors import ConfigError, NotFound

from .objects import Device


_SHOWN = 20


class Wanted(NamedTuple):
    """One device, as a person spells it."""

    text: str
    node: str = ""

    def __str__(self) -> str:
        return f"{self.node} {self.text}" if self.node else self.text


def wanted(words: Sequence[str], nodes: Iterable[str]) -> Iterator[Wanted]:
    """The words, with a node and the address behind it taken together; *nodes* are the names of all nodes."""
    known = frozenset(nodes)
    left = list(words)
    while left:
        word = left.pop(0)
        node, slash, rest = word.partition("/")
        if slash and address_of(rest):
            yield Wanted(rest, node)
        elif word in known and left and address_of(left[0]):
            yield Wanted(left.pop(0), word)
        else:
            yield Wanted(word)


def choose(devices: Sequence[Device], words: Sequence[str]) -> list[Device]:
    """
    The devices that the words mean, each once, in the order of the words.

    Raises:
        NotFound: a word means none.
        ConfigError: a word means several; the message lists them.
    """
    nodes = {device.status.node_name for device in devices}
    chosen = {(one := _the_one(devices, wish)).name: one for wish in wanted(words, nodes)}
    return list(chosen.values())


def address_of(text: str) -> str:
    """The address with its domain, as PCIDevices have it; empty when the text is none."""
    try:
        return str(PciAddress.parse(text))
    except ValueError:
        return ""


def _the_one(devices: Sequence[Device], wish: Wanted) -> Device:
    for tier in _tiers(wish.text):
        found = [d for d in devices if (not wish.node or d.status.node_name == wish.node) and tier(d)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(f"{str(wish)!r} means {len(found)} devices; name one of them:\n{candidates(found)}")
    raise NotFound(f"no PCIDevice matches {str(wish)!r}; `kubectl pci list` shows all of them")


def _tiers(text: str) -> tuple[Callable[[Device], bool], ...]:
    """From what is exactly so to what is so in part."""
    address, part = address_of(text), text.casefold()
    return (
        lambda d: d.name == text,
        lambda d: bool(address) and d.status.address == address,
        lambda d: text == d.status.resource_name,
        lambda d: text in d.status.network_interfaces or text in d.status.block_devices,
        lambda d: any(part in told.casefold() for told in (d.name, d.status.resource_name, d.status.description)),
    )


def candidates(devices: Sequence[Device]) -> str:
    """One a line, with what tells them apart."""
    shown = devices[:_SHOWN]
    width = max(len(device.name) for device in shown)
    lines = [
        f"  {device.name:{width}}  {device.status.address}  {plain(device.status.description)}" for device in shown
    ]
    more = len(devices) - len(shown)
    return "\n".join([*lines, *([f"  and {more} more"] if more else [])])
