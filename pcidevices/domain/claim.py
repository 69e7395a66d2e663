"""What a person asked for: a claim, as far as this program reads it."""

from __future__ import annotations

from dataclasses import dataclass

from .address import PciAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A PCIDeviceClaim."""

    name: str
    uid: str
    resource_version: str
    node_name: str
    address: PciAddress
    user_name: str = ""
    deleting: bool = False
