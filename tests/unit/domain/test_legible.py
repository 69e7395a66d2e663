"""Names that are no text."""

from __future__ import annotations

import os

import msgspec
import pytest

from pcidevices.domain.inventory import status_of
from pcidevices.domain.legible import legible
from tests.support.builders import NODE, a_nic


@pytest.mark.parametrize(
    ("name", "told"), [(b"eth0", "eth0"), ("größe".encode(), "größe"), (b"eth\xff", "eth�"), (b"\xe2\x82", "�")]
)
def test_what_is_text_stays_and_what_is_none_is_marked(name: bytes, told: str) -> None:
    assert legible(os.fsdecode(name)) == told


def test_a_device_with_such_an_interface_can_be_told() -> None:
    """Else its reconcile would crash for ever."""
    nic = a_nic(network_interfaces=("eth0", os.fsdecode(b"eth\xff")))

    status = status_of(nic, NODE)

    assert msgspec.json.decode(msgspec.json.encode(status))["networkInterfaces"] == ["eth0", "eth�"]
