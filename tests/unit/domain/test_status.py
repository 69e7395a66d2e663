"""What is told of a device."""

from __future__ import annotations

import msgspec
import pytest

from hypothesis import given

from pcidevices.api.v1beta1 import PCIDeviceStatus
from pcidevices.domain.device import PciDevice, PhysicalFunction, SriovRole, VirtualFunction
from pcidevices.domain.inventory import status_of
from tests.support.builders import NODE, a_device, a_gpu, at

from .arbitrary import devices


def as_json(device: PciDevice) -> object:
    return msgspec.to_builtins(status_of(device, NODE))


def test_a_card_is_told_with_the_ancestors_fields_and_meaning() -> None:
    told = as_json(a_gpu(numa_node=0, serial="S1", boot_vga=True))

    assert told == {
        "address": "0000:04:00.0",
        "vendorId": "10de",
        "deviceId": "1c02",
        "classId": "0300",
        "iommuGroup": "14",
        "nodeName": "janus",
        "resourceName": "nvidia.com/GP106_GEFORCE_GTX_1060_3GB",
        "description": "VGA compatible controller: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB]",
        "kernelDriverInUse": "nvidia",
        "subsystem": "1458:3702",
        "revision": "a1",
        "numaNode": 0,
        "iommuGroupMembers": ("0000:04:00.0",),
        "bootVga": True,
        "serialNumber": "S1",
    }


def test_what_the_kernel_does_not_tell_is_left_out() -> None:
    told = as_json(a_device("10000:e1:00.0"))

    assert told == {
        "address": "10000:e1:00.0",
        "vendorId": "1af4",
        "deviceId": "10f0",
        "classId": "ff00",
        "nodeName": "janus",
        "resourceName": "unknown.com/10f0",
        "description": "Class ff00: Vendor 1af4 Device 10f0",
    }


@pytest.mark.parametrize(
    ("role", "told"),
    [
        (PhysicalFunction(total_vfs=8, num_vfs=0), {"role": "PhysicalFunction", "totalVfs": 8, "numVfs": 0}),
        (VirtualFunction(at("0000:05:00.0")), {"role": "VirtualFunction", "physicalFunction": "0000:05:00.0"}),
    ],
)
def test_the_part_in_sriov_is_told(role: SriovRole, told: object) -> None:
    assert msgspec.to_builtins(status_of(a_gpu(sriov=role), NODE).sriov) == told


@given(devices())
def test_a_status_reads_back_as_it_was_written(device: PciDevice) -> None:
    """Else every look would find a difference."""
    status = status_of(device, NODE)

    assert msgspec.json.decode(msgspec.json.encode(status), type=PCIDeviceStatus) == status
