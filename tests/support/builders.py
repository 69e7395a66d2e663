"""Devices, and what the cluster has of them, in the words of hardware."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from pcidevices.api.v1beta1 import Condition
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.device import PciDevice
from pcidevices.domain.inventory import status_of
from pcidevices.domain.naming import PciNames
from pcidevices.domain.published import Node, Owner, PublishedDevice, labels_of


NODE = "janus"
LONG_AGO = "2026-01-01T00:00:00Z"
"""When the conditions of `a_published` became what they are."""


def at(text: str) -> PciAddress:
    """The address that *text* writes."""
    return PciAddress.parse(text)


def a_device(address: str = "0000:00:1f.0", **changes: Any) -> PciDevice:
    """A plain function that no driver wants and no database knows."""
    plain = PciDevice(address=at(address), vendor="1af4", device="10f0", class_code="ff0000")
    return replace(plain, **changes)


def a_gpu(address: str = "0000:04:00.0", **changes: Any) -> PciDevice:
    """A graphics card on the host's driver, alone in its IOMMU group."""
    card = a_device(
        address,
        vendor="10de",
        device="1c02",
        class_code="030000",
        revision="a1",
        subsystem="1458:3702",
        driver="nvidia",
        iommu_group="14",
        iommu_group_members=(at(address),),
        numa_node=0,
        names=PciNames(
            "NVIDIA Corporation", "GP106 [GeForce GTX 1060 3GB]", "Display controller", "VGA compatible controller"
        ),
    )
    return replace(card, **changes)


def a_nic(address: str = "0000:05:00.0", **changes: Any) -> PciDevice:
    """A network card with one port, in use by the host."""
    card = a_device(
        address,
        vendor="8086",
        device="15f9",
        class_code="020000",
        driver="e1000e",
        iommu_group="15",
        iommu_group_members=(at(address),),
        names=PciNames(
            "Intel Corporation", "Ethernet Connection (11) I219-LM", "Network controller", "Ethernet controller"
        ),
        network_interfaces=("eno1",),
    )
    return replace(card, **changes)


def a_bridge(address: str = "0000:00:1c.0", **changes: Any) -> PciDevice:
    """A PCI-to-PCI bridge, as every root port is one."""
    return a_device(address, **({"class_code": "060400", "is_bridge": True, "driver": "pcieport"} | changes))


def a_node(name: str = NODE, uid: str = "node-1") -> Node:
    """The Node that the agent runs on."""
    return Node(name, uid)


def a_condition(type_: str = "Present", status: Any = "True", **changes: Any) -> Condition:
    """A condition that has held for long."""
    return Condition(type=type_, status=status, **({"reason": "Because", "last_transition_time": LONG_AGO} | changes))


def seen(since: str = LONG_AGO) -> Condition:
    """The condition of a device that is there."""
    message = "the device was there at the last look"
    return a_condition(reason="Seen", message=message, last_transition_time=since)


def a_published(
    device: PciDevice | None = None,
    *,
    node: Node | None = None,
    labels: Mapping[str, str] | None = None,
    owners: Iterable[Owner] | None = None,
    conditions: Iterable[Condition] | None = None,
    simulated: bool = False,
    **changes: Any,
) -> PublishedDevice:
    """
    The PCIDevice of *device* (the card of `a_gpu`), as its agent leaves it.

    What is named in *changes* and is no part of the object is changed in its status.
    """
    device, node = device or a_gpu(), node or a_node()
    status = msgspec.structs.replace(
        status_of(device, node.name),
        conditions=(seen(),) if conditions is None else tuple(conditions),
    )
    of_object = {key: changes.pop(key) for key in ("uid", "resource_version", "deleting") if key in changes}
    published = PublishedDevice(
        name=device.address.object_name(node.name),
        uid="device-1",
        resource_version="1",
        labels=labels_of(device, node.name, simulated=simulated) if labels is None else labels,
        owners=(node.as_owner,) if owners is None else tuple(owners),
        status=msgspec.structs.replace(status, **changes),
    )
    return replace(published, **of_object)


def a_claim(device: PciDevice | None = None, **changes: Any) -> Claim:
    """A claim on *device* (the card of `a_gpu`), named as the device's object is."""
    address = (device or a_gpu()).address
    whole = Claim(name=address.object_name(NODE), uid="claim-1", resource_version="1", node_name=NODE, address=address)
    return replace(whole, **changes)
