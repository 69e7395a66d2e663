"""The IPv4 addresses of the network namespace that we are in, from the kernel itself (rtnetlink(7)). Blocking."""

from __future__ import annotations

import errno
import os
import socket
import struct

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path


_OWN = Path("/proc/self/net/dev")
_FIRST_INODE = 0xF0000000
"""Of what procfs makes as it goes (fs/proc/generic.c, PROC_DYNAMIC_FIRST)."""
_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_MESSAGE = struct.Struct("=BBBBI")
"""An ifaddrmsg: family, length of the prefix, flags, scope, index of the interface."""
_ERROR, _DONE, _NEW_ADDRESS, _GET_ADDRESS = 2, 3, 20, 22
_REQUEST_DUMP = 0x1 | 0x300
_INTERRUPTED = 0x10
_ADDRESS, _LOCAL = 1, 2
_LARGEST = 1 << 16
_PATIENCE = 5.0


def is_own(proc: Path) -> bool:
    """
    Whether the network namespace of process 1 of *proc* is our own; raises OSError.

    procfs numbers what it makes for each namespace, wherever it is mounted, and to compare that takes no privilege,
    which a look at the namespaces themselves would.
    """
    number = (proc / "1/net/dev").stat().st_ino
    return number >= _FIRST_INODE and number == _OWN.stat().st_ino


def own_addresses_4() -> dict[int, str]:
    """By the index of each interface one of its addresses; raises OSError."""
    found: dict[int, str] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_PATIENCE)
        body = _MESSAGE.pack(socket.AF_INET, 0, 0, 0, 0)
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _GET_ADDRESS, _REQUEST_DUMP, 1, 0) + body)
        while True:
            for kind, flags, body in messages(kernel.recv(_LARGEST)):
                if flags & _INTERRUPTED:
                    raise OSError(errno.EAGAIN, "the addresses changed while they were read")
                if kind == _DONE:
                    return found
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    raise OSError(number, f"the kernel tells no addresses: {os.strerror(number)}")
                if kind == _NEW_ADDRESS:
                    found.setdefault(*address_in(body))


def messages(datagram: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and body of each."""
    while datagram:
        length, kind, flags, _, _ = _HEADER.unpack_from(datagram)
        yield kind, flags, datagram[_HEADER.size : length]
        datagram = datagram[_aligned(length) :]


def address_in(body: bytes) -> tuple[int, str]:
    """The interface's index and the address on it. On a link between two, the other attribute is the other's."""
    index = _MESSAGE.unpack_from(body)[-1]
    attributes = {}
    rest = body[_MESSAGE.size :]
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        attributes[kind] = rest[_ATTRIBUTE.size : length]
        rest = rest[_aligned(length) :]
    return index, str(IPv4Address(attributes.get(_LOCAL) or attributes[_ADDRESS]))


def _aligned(length: int) -> int:
    """Never less than a header, so that each step is one."""
    return max(length + 3 & ~3, _ATTRIBUTE.size)
