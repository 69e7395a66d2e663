"""What the API server has: PCIDevices, and the Node that they belong to."""

from __future__ import annotations

import hashlib

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pcidevices.api.v1beta1 import (
    CLASS_LABEL,
    DEVICE_LABEL,
    NODE_LABEL,
    SIMULATED_LABEL,
    VENDOR_LABEL,
    PCIDeviceStatus,
)

from .device import PciDevice


_LABEL_VALUE_LIMIT = 63


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner reference: when the owner is deleted, so is what it owns."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """The Node that the agent runs on."""

    name: str
    uid: str

    @property
    def as_owner(self) -> Owner:
        return Owner("v1", "Node", self.name, self.uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDevice:
    """A PCIDevice as the API server has it."""

    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    owners: tuple[Owner, ...]
    status: PCIDeviceStatus
    misshapen_status: Mapping[str, Any] = field(default_factory=dict)
    """The status as it stands when it does not fit the types; *status* is what of it does."""
    look_asked: str = ""
    """The value of the annotation that asks for a fresh look; a new one each time."""
    deleting: bool = False

    @property
    def version(self) -> int:
        """The resource version as a number: versions of one kind can be compared so (KEP-5504)."""
        return int(self.resource_version) if self.resource_version.isdecimal() else 0

    @property
    def is_simulated(self) -> bool:
        return SIMULATED_LABEL in self.labels


def node_label(node_name: str) -> str:
    """The value of the label ``nodename``: the name, or where that is too long for a label, a short form of it."""
    if len(node_name) <= _LABEL_VALUE_LIMIT:
        return node_name
    digest = hashlib.sha256(node_name.encode()).hexdigest()[:8]
    return f"{node_name[: _LABEL_VALUE_LIMIT - len(digest) - 1].rstrip('.-')}-{digest}"


def labels_of(device: PciDevice, node_name: str, *, simulated: bool) -> dict[str, str]:
    """The labels by which people select devices."""
    labels = {
        NODE_LABEL: node_label(node_name),
        VENDOR_LABEL: device.vendor,
        DEVICE_LABEL: device.device,
        CLASS_LABEL: device.class_id,
    }
    return labels | {SIMULATED_LABEL: "true"} if simulated else labels
