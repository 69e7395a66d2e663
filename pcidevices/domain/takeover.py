"""Claims whose devices the Go ancestor took: what it did not write down is filled in from what is seen. Pure."""

from __future__ import annotations

import msgspec

from pcidevices.api.v1beta1 import PCIDeviceClaimStatus

from .device import PciDevice, is_vfio_name
from .identity import identity_of
from .sight import Sight


def is_the_ancestors(status: PCIDeviceClaimStatus) -> bool:
    """Whether it was the ancestor that took the device, and this program has not looked at it since."""
    return status.claimed is None and (status.passthrough_enabled or bool(status.kernel_driver_to_unbind))


def taken_over(status: PCIDeviceClaimStatus, sight: Sight) -> PCIDeviceClaimStatus:
    """
    *status* with what giving the device back needs, if it is the ancestor's and the device is seen.

    The ancestor could record a vfio driver as the original one, or none. Then nobody knows whose the device was,
    and it is left on vfio.
    """
    if not is_the_ancestors(status) or not isinstance(sight.device, PciDevice):
        return status
    original = host_driver(status, sight)
    return msgspec.structs.replace(
        status, claimed=identity_of(sight.device), kernel_driver_to_unbind=original, was_on_vfio=not original
    )


def host_driver(status: PCIDeviceClaimStatus, sight: Sight) -> str:
    """
    The recorded driver, if it is one of the host; else nothing.

    A vfio driver that the ancestor recorded is one by its name also after a reboot, when nothing has loaded it yet.
    """
    recorded = status.kernel_driver_to_unbind
    return "" if recorded in sight.vfio_drivers or is_vfio_name(recorded) else recorded
