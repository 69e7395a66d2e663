"""What the kernel tells of addresses."""

from __future__ import annotations

import socket
import struct

from pathlib import Path

import pytest

from pcidevices.adapters.sysfs.addressdump import address_in, is_own, messages, own_addresses_4
from tests.unit.adapters.sysfs.host import Host


LOCAL, ADDRESS, LABEL = 2, 1, 3


def attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def body(*attributes: bytes) -> bytes:
    return struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, 7) + b"".join(attributes)


def test_an_address_is_told_with_the_index_of_its_interface() -> None:
    label, address = attribute(LABEL, b"eth0\0"), attribute(ADDRESS, bytes((10, 9, 0, 5)))

    assert address_in(body(label, address)) == (7, "10.9.0.5")


def test_on_a_link_between_two_the_own_address_is_told() -> None:
    both = attribute(ADDRESS, bytes((10, 9, 0, 1))), attribute(LOCAL, bytes((10, 9, 0, 5)))

    assert address_in(body(*both)) == (7, "10.9.0.5")


def test_each_message_of_a_datagram_is_told() -> None:
    one = struct.pack("=IHHII", 19, 20, 2, 1, 0) + b"abc"

    assert list(messages(one + b"\0" + one)) == [(20, 2, b"abc")] * 2


def test_our_own_addresses_are_told() -> None:
    """Each is one that a socket can be bound to."""
    for address in own_addresses_4().values():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))


def test_a_proc_of_plain_files_is_not_our_own(host: Host) -> None:
    assert not is_own(host.proc)


def test_a_proc_without_interfaces_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="1/net/dev"):
        is_own(tmp_path)
