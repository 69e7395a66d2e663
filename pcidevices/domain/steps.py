"""What can be done to a device, as values. Each is one thing that the kernel does, or refuses."""

from __future__ import annotations

from dataclasses import dataclass

from .address import PciAddress


@dataclass(frozen=True, slots=True)
class LoadModule:
    """``modprobe``: a module by its name, or whatever modules an alias such as ``pci:v00008086d…`` stands for."""

    name: str


@dataclass(frozen=True, slots=True)
class SetOverride:
    """
    Only *driver* may take the device from now on; a driver that has it keeps it.

    Refused when the kernel has no such driver: nothing could take the device then.
    """

    address: PciAddress
    driver: str


@dataclass(frozen=True, slots=True)
class ClearOverride:
    """Any driver that knows the device may take it again; a driver that has it keeps it."""

    address: PciAddress


@dataclass(frozen=True, slots=True)
class Unbind:
    """Take the device from *driver*; refused when that is not the driver that has it."""

    address: PciAddress
    driver: str


@dataclass(frozen=True, slots=True)
class Bind:
    """Give the device, which has no driver, to *driver*; the kernel says why when it does not."""

    address: PciAddress
    driver: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Let the kernel choose a driver for the device, which has none; it never says that it found none."""

    address: PciAddress


Step = LoadModule | SetOverride | ClearOverride | Unbind | Bind | Probe
