"""Which module has which driver, where nothing else is said. Mostly they share a name; a module's has no dashes."""

from __future__ import annotations


_OTHERS = {
    "bochs-drm": "bochs",
    "i801_smbus": "i2c_i801",
    "xhci_hcd": "xhci_pci",
    "vfio-pci": "vfio_pci",
    "virtio-pci": "virtio_pci",
    "pcieport": "pcieportdrv",
}
_BUILT_IN = ("pcieport",)


def module_of(driver: str) -> str:
    """The module that brings *driver*."""
    return _OTHERS.get(driver, driver.replace("-", "_"))


def driver_in(module: str) -> str:
    """The driver that *module* brings."""
    return next((driver for driver, name in _OTHERS.items() if name == module), module)


def is_always_built_in(driver: str) -> bool:
    """Whether no kernel loads it."""
    return driver in _BUILT_IN
