"""A cluster worth drawing: three nodes, sixty devices, every state a device can be in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pcidevices.api.v1beta1 import (
    ClaimedDevice,
    Condition,
    PCIDeviceClaimSpec,
    PCIDeviceClaimStatus,
    PCIDeviceStatus,
    Sriov,
)
from pcidevices.domain.address import PciAddress
from pcidevices.kubectl.objects import Claim, Device, Metadata


SEEN = Condition(type="Present", status="True", reason="Seen")
LOST = Condition(type="Present", status="False", reason="DeviceNotFound", message="it is gone, but a claim names it")
HOSTILE = "<script>alert(1)</script> \"quoted\" & 'äöü' 図面 \u202egnp.exe </script><!--"


def a_drawn_device(address: str = "0000:04:00.0", node: str = "janus", **status: Any) -> Device:
    """A PCIDevice: a graphics card on the host's driver, alone in its group."""
    plain = {
        "vendor_id": "10de",
        "device_id": "1c02",
        "class_id": "0300",
        "iommu_group": "14",
        "numa_node": 0,
        "description": "VGA compatible controller: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB]",
        "resource_name": "nvidia.com/GP106_GEFORCE_GTX_1060_3GB",
        "kernel_driver_in_use": "nouveau",
        "conditions": (SEEN,),
    }
    name = PciAddress.parse(address).object_name(node)
    return Device(Metadata(name), PCIDeviceStatus(**{"address": address, "node_name": node, **plain, **status}))


def a_drawn_claim(
    address: str = "0000:04:00.0", node: str = "janus", *, reason: str = "Ready", message: str = "", **metadata: Any
) -> Claim:
    """A PCIDeviceClaim, Ready or not for some reason; without a reason nobody has looked at it yet."""
    status = PCIDeviceClaimStatus()
    if reason:
        ready = Condition(type="Ready", status="True" if reason == "Ready" else "False", reason=reason, message=message)
        claimed = ClaimedDevice(vendor_id="10de", device_id="1c02")
        status = PCIDeviceClaimStatus(kernel_driver_to_unbind="nouveau", claimed=claimed, conditions=(ready,))
    named = {"name": PciAddress.parse(address).object_name(node), **metadata}
    spec = PCIDeviceClaimSpec(address=address, node_name=node, user_name="alice@example.org")
    return Claim(Metadata(**named), spec, status)


def a_drawn_cluster() -> tuple[list[Device], list[Claim]]:
    """Nodes ``gpu-1``, ``gpu-2`` and ``storage-10``, 20 devices each."""
    devices = [*_gpu_node("gpu-1"), *_gpu_node("gpu-2"), *_storage_node("storage-10")]
    claims = [claim for node in ("gpu-1", "gpu-2") for claim in _claims(node)]
    claims.append(a_drawn_claim("0000:c6:00.0", "storage-10", reason="DeviceNotFound", message="put it back"))
    return devices, claims


def _gpu_node(node: str) -> Iterator[Device]:
    yield from _board(node)
    for index, bus in enumerate(("17", "31", "b1", "ca")):
        numa, group = index // 2, str(20 + index)
        on_vfio = index < 3
        yield a_drawn_device(
            f"0000:{bus}:00.0",
            node,
            numa_node=numa,
            iommu_group=group,
            iommu_group_members=(f"0000:{bus}:00.0", f"0000:{bus}:00.1"),
            device_id="2684",
            description="VGA compatible controller: NVIDIA Corporation AD102 [GeForce RTX 4090]",
            resource_name="nvidia.com/AD102_GEFORCE_RTX_4090",
            kernel_driver_in_use="vfio-pci" if on_vfio else "nvidia",
            in_use_by=("render/virt-launcher-blender-x7k2p",) if index < 1 else (),
        )
        yield a_drawn_device(
            f"0000:{bus}:00.1",
            node,
            numa_node=numa,
            iommu_group=group,
            device_id="22ba",
            class_id="0403",
            description="Audio device: NVIDIA Corporation AD102 High Definition Audio Controller",
            kernel_driver_in_use="vfio-pci" if on_vfio and index != 2 else "snd_hda_intel",
            in_use_by=("render/virt-launcher-blender-x7k2p",) if index < 1 else (),
        )
    physical = Sriov(role="PhysicalFunction", total_vfs=8, num_vfs=4)
    card = {"vendor_id": "15b3", "class_id": "0200", "numa_node": 1, "kernel_driver_in_use": "mlx5_core"}
    yield a_drawn_device(
        "0000:86:00.0",
        node,
        **card,
        iommu_group="40",
        sriov=physical,
        network_interfaces=("ens3",),
        description="Ethernet controller: Mellanox Technologies MT27710 Family [ConnectX-4 Lx]",
    )
    for number in range(1, 5):
        yield a_drawn_device(
            f"0000:86:00.{number}",
            node,
            **card,
            iommu_group=str(40 + number),
            sriov=Sriov(role="VirtualFunction", physical_function="0000:86:00.0"),
            description="Ethernet controller: Mellanox Technologies MT27710 Family [ConnectX-4 Lx Virtual Function]",
        )


def _claims(node: str) -> Iterator[Claim]:
    for bus in ("17", "31"):
        yield a_drawn_claim(f"0000:{bus}:00.0", node)
        yield a_drawn_claim(f"0000:{bus}:00.1", node)
    shared = "IOMMU group 22 is shared: 0000:b1:00.1 is on snd_hda_intel; claim it too, or take its driver away"
    yield a_drawn_claim("0000:b1:00.0", node, reason="GroupNotViable", message=shared)
    yield a_drawn_claim("0000:86:00.1", node)


def _board(node: str) -> Iterator[Device]:
    intel = {"vendor_id": "8086", "kernel_driver_in_use": None}
    chipset = "C620 Series Chipset Family"
    members = ("0000:00:1f.0", "0000:00:1f.2", "0000:00:1f.4")
    yield a_drawn_device(
        "0000:00:14.0", node, **{**intel, "kernel_driver_in_use": "xhci_hcd"}, class_id="0c03", iommu_group="3",
        description=f"USB controller: Intel Corporation {chipset} USB 3.0 xHCI Controller",
    )  # fmt: skip
    yield a_drawn_device(
        "0000:00:1f.0", node, **intel, class_id="0601", iommu_group="5", iommu_group_members=members,
        description="ISA bridge: Intel Corporation C621 Series Chipset LPC/eSPI Controller",
    )  # fmt: skip
    yield a_drawn_device(
        "0000:00:1f.2", node, **{**intel, "kernel_driver_in_use": "ahci"}, class_id="0106", iommu_group="5",
        iommu_group_members=members, description=f"SATA controller: Intel Corporation {chipset} SATA Controller [AHCI]",
    )  # fmt: skip
    yield a_drawn_device(
        "0000:00:1f.4", node, **{**intel, "kernel_driver_in_use": "i801_smbus"}, class_id="0c05", iommu_group="5",
        iommu_group_members=members, description=f"SMBus: Intel Corporation {chipset} SMBus",
    )  # fmt: skip
    yield a_drawn_device(
        "0000:01:00.0", node, vendor_id="144d", class_id="0108", iommu_group="9", kernel_driver_in_use="nvme",
        block_devices=("nvme0n1",), serial_number="S4EVNX0R500001",
        description="Non-Volatile memory controller: Samsung Electronics Co Ltd NVMe SSD Controller SM981/PM981/PM983",
    )  # fmt: skip
    yield a_drawn_device(
        "0000:03:00.0", node, vendor_id="1a03", boot_vga=True, iommu_group="11", kernel_driver_in_use="ast",
        description="VGA compatible controller: ASPEED Technology, Inc. ASPEED Graphics Family",
    )  # fmt: skip
    yield a_drawn_device(
        "0000:18:00.0", node, vendor_id="8086", class_id="0200", iommu_group="12", kernel_driver_in_use="igb",
        network_interfaces=("eno1",), description="Ethernet controller: Intel Corporation I210 Gigabit Network",
    )  # fmt: skip


def _storage_node(node: str) -> Iterator[Device]:
    yield from _board(node)
    for index in range(12):
        yield a_drawn_device(
            f"0000:{0xC1 + index:02x}:00.0", node, vendor_id="144d", class_id="0108", iommu_group=str(60 + index),
            numa_node=None, kernel_driver_in_use="nvme", block_devices=(f"nvme{index + 1}n1",),
            conditions=(LOST if index == 5 else SEEN,),
            description="Non-Volatile memory controller: Samsung Electronics Co Ltd NVMe SSD Controller PM9A1/980PRO",
        )  # fmt: skip
    yield a_drawn_device(
        "10000:e1:00.0", node, vendor_id="8086", class_id="0108", iommu_group=None, numa_node=None,
        kernel_driver_in_use="nvme", description=f"Non-Volatile memory controller: {HOSTILE}",
    )  # fmt: skip
