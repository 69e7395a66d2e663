"""What a person asked for: a claim, as far as this program reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pcidevices.api.v1beta1 import FINALIZERS, PCIDeviceClaimStatus

from .address import PciAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A PCIDeviceClaim as the API server has it."""

    name: str
    uid: str
    resource_version: str
    node_name: str
    address: PciAddress
    user_name: str = ""
    disable_resource_pooling: bool = False
    node_system_uuid: str = ""
    allow_protected: str = ""
    """The value of the annotation: an address, if a person wrote it well."""
    created: str = ""
    """RFC 3339, whole seconds."""
    generation: int = 0
    finalizers: tuple[str, ...] = ()
    status: PCIDeviceClaimStatus = field(default_factory=PCIDeviceClaimStatus)
    misshapen_status: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """The status as it stands when it does not fit the types; *status* is what of it does."""
    deleting: bool = False

    @property
    def is_held(self) -> bool:
        """Whether it cannot go before its device was given back."""
        return not FINALIZERS.isdisjoint(self.finalizers)

    @property
    def version(self) -> int:
        """The resource version as a number: versions of one kind can be compared so (KEP-5504)."""
        return int(self.resource_version) if self.resource_version.isdecimal() else 0
