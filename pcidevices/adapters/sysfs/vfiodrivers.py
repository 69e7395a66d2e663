"""Which of the kernel's PCI drivers hand devices to virtual machines, and which one would have a device."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from pcidevices.domain.device import is_vfio_name
from pcidevices.domain.sight import VfioDriver

from .certain import entries
from .files import folder, link, listing, unless_out_of_means
from .modules import ANY_DEVICE, Modules


_DRIVER_OF_ANY_DEVICE = "vfio-pci"


def pci_drivers(sysfs: Path) -> dict[str, str | None]:
    """The drivers that the kernel has now, each with its module, or None where that is not told; raises OSError."""
    drivers = entries(sysfs / "bus/pci/drivers")
    return {name: _module_of(sysfs / "bus/pci/drivers" / name) for name in drivers}


def vfio_drivers(drivers: dict[str, str | None], modules: Modules) -> frozenset[str]:
    """
    Those of *drivers* that belong to VFIO, by their module or by their name.

    The name has to do for a driver that is built in, and for a module that the folder of modules does not list.
    """
    ours = modules.vfio_modules() | {ANY_DEVICE}
    return frozenset(name for name, module in drivers.items() if module in ours or is_vfio_name(name))


def vfio_modules_of(sysfs: Path, modules: Modules) -> Callable[[str], bool]:
    """Tells of a driver whether a module of VFIO has brought it; of each but once. Blocking, like what is returned."""
    ours = modules.vfio_modules() | {ANY_DEVICE}
    return cache(lambda driver: _module_of(sysfs / "bus/pci/drivers" / driver) in ours)


def vfio_driver(sysfs: Path, drivers: dict[str, str | None], module: str, *, modules: Modules) -> VfioDriver:
    """The driver that *module* has brought, if it has. Blocking."""
    brought = (name.removeprefix("pci:") for name in listing(sysfs / "module" / module / "drivers"))
    by_link = (name for name, its_module in drivers.items() if its_module == module)
    found = next((name for name in (*brought, *by_link) if name in drivers), None)
    if found is None and module == ANY_DEVICE and _DRIVER_OF_ANY_DEVICE in drivers:
        found = _DRIVER_OF_ANY_DEVICE  # built in, which need not leave a trace in /sys/module
    can_be_loaded = modules.has(module) if found is None else None
    return VfioDriver(module=module, name=found, can_be_loaded=can_be_loaded)


def _module_of(driver: Path) -> str | None:
    try:
        with folder(driver) as fd:
            return link("module", below=fd)
    except OSError as error:
        unless_out_of_means(error)
        return None
