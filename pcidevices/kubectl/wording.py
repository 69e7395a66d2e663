"""What is told of a device in the same words wherever it is told. Pure."""

from __future__ import annotations

from pcidevices.api.v1beta1 import PCIDeviceStatus


def ids_of(status: PCIDeviceStatus) -> str:
    """``10de:1c02, class 0300, revision a1``"""
    parts = (
        f"{status.vendor_id}:{status.device_id}",
        f"class {status.class_id}",
        f"subsystem {status.subsystem}" if status.subsystem else "",
        f"revision {status.revision}" if status.revision else "",
    )
    return ", ".join(filter(None, parts))


def sriov_of(status: PCIDeviceStatus) -> str:
    """Whose virtual function it is, or how many it has; empty for what has nothing to do with that."""
    match status.sriov:
        case None:
            return ""
        case sriov if sriov.role == "VirtualFunction":
            return f"virtual function of {sriov.physical_function}"
        case sriov:
            return f"{sriov.num_vfs or 0} of {sriov.total_vfs or 0} virtual functions"
