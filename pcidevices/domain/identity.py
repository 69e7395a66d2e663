"""Who a device is: another one at the same address must not be taken for it."""

from __future__ import annotations

from pcidevices.api.v1beta1 import ClaimedDevice

from .device import PciDevice, VirtualFunction


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

    A serial number counts only where both are known: some drivers tell it, and vfio-pci does not.
    """
    serials = {seen.serial_number, claimed.serial_number} - {None}
    return _without_serial(seen) != _without_serial(claimed) or len(serials) > 1


def told(identity: ClaimedDevice) -> str:
    """For a person: ``10de:1c02, subsystem 1458:3702, serial 123``."""
    parts = [f"{identity.vendor_id}:{identity.device_id}"]
    parts += [f"subsystem {identity.subsystem}"] if identity.subsystem else []
    parts += [f"serial {identity.serial_number}"] if identity.serial_number else []
    parts += [f"virtual function of {identity.physical_function}"] if identity.physical_function else []
    return ", ".join(parts)


def _without_serial(identity: ClaimedDevice) -> tuple[str | None, ...]:
    return identity.vendor_id, identity.device_id, identity.subsystem, identity.physical_function
