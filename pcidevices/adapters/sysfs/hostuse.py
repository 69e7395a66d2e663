"""
What of the host hangs on a device: the guard that keeps a claim from taking the node down.

The kernel unbinds whatever it is told to, a mounted disk and the node's only NIC alike. So all that can be known
beforehand is read here, and whatever must be known but cannot be read is an error: no proof is not "not in use".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pcidevices.domain.device import PciDevice
from pcidevices.domain.legible import legible
from pcidevices.domain.sight import HostUse

from .certain import UUID, entries, entries_if_any
from .handedout import handed_out
from .hostdisks import disk_uses
from .hostnets import interface_uses
from .interfacefolders import hidden_interfaces


_USER_SPACE_DRIVERS = ("uio_pci_generic", "igb_uio")


def host_uses(device: PciDevice, *, sysfs: Path, proc: Path, udev: Path) -> tuple[HostUse, ...]:
    """
    All uses that are seen, each as a sentence. Blocking.

    *proc* and *sysfs* are the host's; *udev* is udev's database, ``/run/udev/data``, and need not be there.

    Raises:
        OSError: something that must be known cannot be read, also because the device has just gone.
    """
    # The names in *device* were found by a scan, which overlooks classes that it cannot list.
    for name in ("net", "block"):
        entries(sysfs / "class" / name)
    entries_if_any(sysfs / "class/nvme-subsystem")
    home = sysfs / "bus/pci/devices" / str(device.address)
    found = [
        *hidden_interfaces(device, home),
        *_mediated_devices(home),
        *handed_out(device, home),
        *_user_space(device),
    ]
    if device.block_devices:
        found += disk_uses(device.block_devices, sysfs=sysfs, proc=proc, udev=udev)
    if device.network_interfaces:
        found += interface_uses(device.network_interfaces, sysfs=sysfs, proc=proc)
    return tuple(HostUse(legible(use.text)) for use in found)


def _mediated_devices(home: Path) -> Iterator[HostUse]:
    """Parts of a GPU, for instance, that were made for virtual machines (vfio-mediated-device.rst)."""
    names = entries(home)
    if "mdev_supported_types" in names:
        for name in filter(UUID.fullmatch, names):
            yield HostUse(f"the mediated device {name} is a part of it")


def _user_space(device: PciDevice) -> Iterator[HostUse]:
    if device.driver in _USER_SPACE_DRIVERS:
        yield HostUse(f"{device.driver} hands it to programs of the host, such as DPDK")
