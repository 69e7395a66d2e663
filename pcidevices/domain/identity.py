"""Who a device is: another one at the same address must not be taken for it."""

from __future__ import annotations

import re

from pcidevices.api.v1beta1 import ClaimedDevice

from .device import PciDevice, VirtualFunction


_PCIS_OWN = re.compile(r"[0-9a-f]{2}(?:-[0-9a-f]{2}){7}")
"""Eight bytes: how Linux writes the Device Serial Number of PCI (`serial_number_show`, since 6.18)."""


def identity_of(device: PciDevice) -> ClaimedDevice:
    """What tells *device* from another one that may be found at its address one day."""
    return ClaimedDevice(
        vendor_id=device.vendor,
        device_id=device.device,
        subsystem=device.subsystem,
        serial_number=device.serial,
        physical_function=str(device.sriov.physical_function) if isinstance(device.sriov, VirtualFunction) else None,
    )


def is_another(seen: ClaimedDevice, claimed: ClaimedDevice) -> bool:
    """
    Whether *seen* cannot be what was *claimed*.

    Serial numbers count only where both are known, and of one kind: some drivers tell one that vfio-pci does not, and
    a newer kernel may tell PCI's own instead.
    """
    if _without_serial(seen) != _without_serial(claimed):
        return True
    return _is_another_serial(seen.serial_number, claimed.serial_number)


def told(identity: ClaimedDevice) -> str:
    """For a person: ``10de:1c02, subsystem 1458:3702, serial 123``."""
    parts = [f"{identity.vendor_id}:{identity.device_id}"]
    parts += [f"subsystem {identity.subsystem}"] if identity.subsystem else []
    parts += [f"serial {identity.serial_number}"] if identity.serial_number else []
    parts += [f"virtual function of {identity.physical_function}"] if identity.physical_function else []
    return ", ".join(parts)


def _is_another_serial(seen: str | None, claimed: str | None) -> bool:
    if seen is None or claimed is None:
        return False
    are_of_one_kind = bool(_PCIS_OWN.fullmatch(seen)) == bool(_PCIS_OWN.fullmatch(claimed))
    return are_of_one_kind and seen != claimed


def _without_serial(identity: ClaimedDevice) -> tuple[str | None, ...]:
    return identity.vendor_id, identity.device_id, identity.subsystem, identity.physical_function
