"""What a driver of the host hands to virtual machines by itself: to unbind it would kill them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pcidevices.domain.device import PciDevice
from pcidevices.domain.sight import HostUse

from .certain import entries, entries_if_any, target


def handed_out(device: PciDevice, home: Path) -> Iterator[HostUse]:
    """
    What shows in its folder *home*; raises OSError.

    A driver that is not one of VFIO's by its name or its module may use VFIO all the same, as NVIDIA's does for virtual
    functions (drivers/vfio/vfio_main.c makes ``vfio-dev``); others make vDPA devices (drivers/vdpa/vdpa.c).
    """
    if not device.is_on_vfio:
        for name in entries_if_any(home / "vfio-dev"):
            yield HostUse(f"{device.driver or 'a driver'} hands it to virtual machines by itself, as {name}")
    for name in entries(home):
        if _subsystem(home / name) == "vdpa":
            yield HostUse(f"the vDPA device {name} is a part of it, which a virtual machine may have")


def _subsystem(child: Path) -> str | None:
    try:
        return target(child / "subsystem")
    except NotADirectoryError:
        return None
