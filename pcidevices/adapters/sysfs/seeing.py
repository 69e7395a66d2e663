"""A fresh look at one device and all around it. Blocking; the part that may hang is apart."""

from __future__ import annotations

import errno

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import structlog

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice
from pcidevices.domain.legible import legible
from pcidevices.domain.sight import HostUse, Sight
from pcidevices.errors import HostExhausted

from .files import cannot_see, folder, text, unless_out_of_means
from .holders import holders
from .hostuse import host_uses
from .modules import Modules
from .neighbourhood import neighbourhood
from .vfiodrivers import pci_drivers, vfio_driver, vfio_drivers, vfio_modules_of
from .writers import Read


log = structlog.get_logger()

_NO_OVERRIDE = ("", "(null)")
_GONE = (errno.ENOENT, errno.ENODEV)
"""There is no such device, or it has just gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the host's trees are mounted."""

    sysfs: Path
    proc: Path
    dev: Path
    udev: Path

    def home(self, address: PciAddress) -> Path:
        """The folder of the device at *address*."""
        return self.sysfs / "bus/pci/devices" / str(address)


class Override(NamedTuple):
    """What the kernel has answered: the only driver that may have the device; None for any."""

    driver: str | None


def see(address: PciAddress, places: Places, modules: Modules) -> Sight:
    """
    See all that the kernel tells at once.

    Raises:
        SysfsUnreadable: there is no PCI bus, or it has no drivers.
        HostExhausted: what is not seen may be there all the same.
    """
    try:
        return _seen(address, places, modules)
    except OSError as error:
        what = f"cannot look at {address} and around it"
        raise cannot_see(what, error, unless=f"is {places.sysfs} a sysfs?") from error


def _seen(address: PciAddress, places: Places, modules: Modules) -> Sight:
    around = neighbourhood(places.sysfs, address, has_vfio_module=vfio_modules_of(places.sysfs, modules))
    drivers = pci_drivers(places.sysfs)
    for_vms = vfio_drivers(drivers, modules)
    return Sight(
        address=address,
        device=around.device,
        others=around.others,
        virtual_functions=around.virtual_functions,
        modalias=around.modalias,
        host_uses=_host_uses(around.device, for_vms, places) if isinstance(around.device, PciDevice) else (),
        holders=holders(around.members, for_vms, sysfs=places.sysfs, proc=places.proc, dev=places.dev),
        vfio=vfio_driver(places.sysfs, drivers, modules.vfio_driver(around.modalias), modules=modules),
        drivers=frozenset(drivers),
        vfio_drivers=for_vms,
        machine=_machine(places.sysfs),
    )


async def override_of(home: Path, read: Read) -> Override | None:
    """
    Read the driver override of the device in folder *home*; on Linux 6.1 that waits for an unbind that hangs.

    None when there is no answer: that an override cannot be read does not mean that there is none.
    """
    try:
        override = (await read(home / "driver_override")).strip()
    except HostExhausted as error:
        log.debug("override.unread", address=home.name, error=str(error))
        return None
    except OSError as error:
        if error.errno not in _GONE:
            log.debug("override.unread", address=home.name, error=str(error))
            return None
        override = ""
    return Override(None if override in _NO_OVERRIDE else override)


def together(sight: Sight, override: Override | None, *, serial: str | None) -> Sight:
    """All parts of a look; None is what has not been answered. A serial number that is not known tells nothing."""
    device = sight.device
    if serial and isinstance(device, PciDevice):
        device = replace(device, serial=serial)
    return replace(sight, device=device, override=override.driver if override else None)


def _host_uses(device: PciDevice, for_vms: frozenset[str], places: Places) -> tuple[HostUse, ...]:
    """A device that no driver of the host has cannot be used by it, unless a disk has been left behind."""
    is_with_the_host = device.driver is not None and device.driver not in for_vms
    if not is_with_the_host and not device.block_devices:
        return ()
    try:
        return host_uses(device, sysfs=places.sysfs, proc=places.proc, udev=places.udev)
    except OSError as error:
        what = legible(error.filename or "what the host uses")
        return (HostUse(f"{what} cannot be read ({error.strerror}), so that it may be in use"),)


def _machine(sysfs: Path) -> str | None:
    try:
        with folder(sysfs / "class/dmi/id") as fd:
            return (text("product_uuid", below=fd) or "").lower() or None
    except OSError as error:
        unless_out_of_means(error)
        return None
