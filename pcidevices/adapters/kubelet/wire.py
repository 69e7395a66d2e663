"""
Those messages to bytes and back that must be fast, by hand: the generated ones take half a millisecond for each device.

Only what https://protobuf.dev/programming-guides/encoding calls length-delimited is used, and small numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from pcidevices.domain.address import PciAddress
from pcidevices.domain.allocation import Allocation


_VARINT, _FIXED64, _PART, _FIXED32 = 0, 1, 2, 5
_SKIPPED = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10
_WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class AllocateRequest:
    """The ids that each container shall get."""

    containers: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def parse(cls, wire: bytes) -> AllocateRequest:
        """Raises ValueError: it is none."""
        return cls(tuple(_texts(container, 1) for container in _parts(wire, 1)))


@dataclass(frozen=True, slots=True)
class Choice:
    """What one container can have, and how much of that it wants."""

    available: tuple[str, ...]
    must_include: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class PreferredAllocationRequest:
    """What each container may choose."""

    containers: tuple[Choice, ...] = ()

    @classmethod
    def parse(cls, wire: bytes) -> PreferredAllocationRequest:
        """Raises ValueError: it is none."""
        return cls(tuple(Choice(_texts(one, 1), _texts(one, 2), _number(one, 3)) for one in _parts(wire, 1)))


@lru_cache(1 << 14)
def listed(address: PciAddress, is_healthy: bool, numa_node: int | None) -> bytes:  # noqa: FBT001  a device's, in order
    """What one device adds to a ListAndWatchResponse."""
    return _part(1, _text(1, str(address)) + _health_and_place(is_healthy, numa_node))


def allocated(containers: Iterable[Allocation]) -> bytes:
    """An AllocateResponse."""
    return b"".join(_part(1, _container(allocation)) for allocation in containers)


def preferred(containers: Iterable[Iterable[str]]) -> bytes:
    """A PreferredAllocationResponse."""
    return b"".join(_part(1, b"".join(_text(1, id_) for id_ in ids)) for ids in containers)


@cache
def _health_and_place(is_healthy: bool, numa_node: int | None) -> bytes:  # noqa: FBT001  nothing to be confused with
    health = _text(2, "Healthy" if is_healthy else "Unhealthy")
    if numa_node is None:
        return health
    # Zero is what a number is that is not there.
    return health + _part(3, _part(1, b"" if numa_node == 0 else b"\x08" + _varint(numa_node)))


def _container(allocation: Allocation) -> bytes:
    envs = (_part(1, _text(1, name) + _text(2, value)) for name, value in allocation.envs)
    nodes = (_part(3, _text(1, node) + _text(2, node) + _text(3, "mrw")) for node in allocation.nodes)
    return b"".join((*envs, *nodes))


def _part(field: int, content: bytes) -> bytes:
    return bytes((field << 3 | _PART,)) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode())


def _varint(number: int) -> bytes:
    left = number & _WORD
    digits = bytearray()
    while left > 0x7F:  # noqa: PLR2004  seven bits
        digits.append(left & 0x7F | 0x80)
        left >>= 7
    digits.append(left)
    return bytes(digits)


def _texts(wire: bytes, field: int) -> tuple[str, ...]:
    return tuple(content.decode() for content in _parts(wire, field))


def _parts(wire: bytes, field: int) -> Iterator[bytes]:
    return (value for number, value in _fields(wire) if number == field and isinstance(value, bytes))


def _number(wire: bytes, field: int) -> int:
    """An int32; the last one counts."""
    found = 0
    for number, value in _fields(wire):
        if number == field and isinstance(value, int):
            found = value & 0xFFFF_FFFF
    return found - (1 << 32) if found >> 31 else found


def _fields(wire: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Each field's number and value, as far as their kind is one of ours; what a newer kubelet adds is skipped."""
    at = 0
    while at < len(wire):
        tag, at = _read_varint(wire, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _read_varint(wire, at)
            yield tag >> 3, value
        elif kind == _PART:
            length, begin = _read_varint(wire, at)
            at = begin + length
            yield tag >> 3, wire[begin:at]
        elif kind in _SKIPPED:
            at += _SKIPPED[kind]
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
    if at > len(wire):
        raise ValueError("the message is cut off")


def _read_varint(wire: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, digit in enumerate(wire[at : at + _LONGEST_VARINT]):
        value |= (digit & 0x7F) << 7 * place
        if digit <= 0x7F:  # noqa: PLR2004  seven bits
            return value & _WORD, at + place + 1
    raise ValueError("a number without an end")
