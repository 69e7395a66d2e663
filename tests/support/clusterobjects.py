"""PCIDevices and claims as the plug-ins for kubectl read them."""

from __future__ import annotations

from typing import Any

from pcidevices.api.v1beta1 import (
    Condition,
    PCIDeviceClaimSpec,
    PCIDeviceClaimStatus,
    PCIDeviceStatus,
    Sriov,
)
from pcidevices.domain.address import PciAddress
from pcidevices.kubectl.objects import Claim, Device, Metadata


GPU, SOUND, NIC, TWIN, BRIDGE = "0000:5e:00.0", "0000:5e:00.1", "0000:3b:00.0", "0000:3c:00.0", "0000:00:1e.0"
_KNOWN: dict[str, dict[str, Any]] = {
    GPU: {
        "class_id": "0300",
        "vendor_id": "10de",
        "device_id": "1c02",
        "resource_name": "nvidia.com/GP106_GEFORCE_GTX_1060_3GB",
        "description": "VGA compatible controller: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB]",
        "kernel_driver_in_use": "nouveau",
        "iommu_group": "15",
        "iommu_group_members": (GPU, SOUND),
        "numa_node": 0,
    },
    SOUND: {
        "class_id": "0403",
        "vendor_id": "10de",
        "device_id": "10f1",
        "resource_name": "nvidia.com/GP106_HIGH_DEFINITION_AUDIO_CONTROLLER",
        "description": "Audio device: NVIDIA Corporation GP106 High Definition Audio Controller",
        "kernel_driver_in_use": "snd_hda_intel",
        "iommu_group": "15",
        "iommu_group_members": (GPU, SOUND),
        "numa_node": 0,
    },
    BRIDGE: {
        "class_id": "0604",
        "bridge": True,
        "description": "PCI bridge: Intel Corporation 82801 PCI Bridge",
        "iommu_group": "4",
        "iommu_group_members": (BRIDGE,),
        "numa_node": 0,
    },
}
_NIC = {
    "class_id": "0200",
    "vendor_id": "8086",
    "device_id": "10fb",
    "resource_name": "intel.com/82599ES_10GIGABIT_SFI_SFP_NETWORK_CONNECTION",
    "description": "Ethernet controller: Intel Corporation 82599ES 10-Gigabit SFI/SFP+ Network Connection",
    "kernel_driver_in_use": "ixgbe",
    "iommu_group": "12",
}


def a_device(address: str = NIC, node: str = "janus", **status: Any) -> Device:
    """A network card, or what is known to be at the address."""
    known = _KNOWN.get(address, {**_NIC, "iommu_group_members": (address,)})
    told = {**known, "address": address, "node_name": node, **status}
    return Device(Metadata(PciAddress.parse(address).object_name(node)), PCIDeviceStatus(**told))


def a_gpu(node: str = "janus", **status: Any) -> Device:
    return a_device(GPU, node, **status)


def a_sound(node: str = "janus", **status: Any) -> Device:
    return a_device(SOUND, node, **status)


def a_virtual_function(address: str, of: str, **status: Any) -> Device:
    return a_device(address, sriov=Sriov(role="VirtualFunction", physical_function=of), **status)


def a_claim(
    address: str = NIC,
    node: str = "janus",
    *conditions: Condition,
    name: str = "",
    user: str = "alice",
    deleting: bool = False,
    **spec: Any,
) -> Claim:
    return Claim(
        Metadata(
            name or PciAddress.parse(address).object_name(node),
            uid=f"uid-of-{name or address}",
            creation_timestamp="2026-01-01T00:00:00Z",
            deletion_timestamp="2026-01-02T00:00:00Z" if deleting else None,
        ),
        PCIDeviceClaimSpec(address=address, node_name=node, user_name=user, **spec),
        PCIDeviceClaimStatus(conditions=conditions),
    )


def condition(kind: str, reason: str, message: str = "", *, status: Any = "False") -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message)


READY = condition("Ready", "Ready", "virtual machines can have it", status="True")
