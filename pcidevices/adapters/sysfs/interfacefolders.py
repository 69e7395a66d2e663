"""The folders of network interfaces below a device, against those interfaces of which a scan knows. Blocking."""

from __future__ import annotations

import errno
import os
import re

from collections.abc import Iterator
from pathlib import Path

from pcidevices.domain.device import PciDevice
from pcidevices.domain.legible import legible
from pcidevices.domain.sight import HostUse

from .certain import entries, entries_if_any


_NET = "net"
_FUNCTION = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")


def hidden_interfaces(device: PciDevice, home: Path) -> Iterator[HostUse]:
    """
    A folder for interfaces with none in it: the driver has made one, and we do not see it.

    Raises:
        OSError: one has an interface that is not known to be the device's, such as one that was renamed since.
    """
    for folder in _folders(home):
        names = entries_if_any(folder)
        for name in names:
            if name not in device.network_interfaces:
                raise OSError(
                    errno.ESTALE, f"it has {legible(name)}, of which the scan did not know: renamed?", str(folder)
                )
        if not names:
            yield HostUse(
                f"the network interface of {device.address} is in another network namespace, or sysfs is not the host's"
            )
            return


def _folders(home: Path) -> Iterator[Path]:
    """The device's own and those of its parts: virtio, sub-functions. What a link leads to is of other devices."""
    if _NET in entries(home):
        yield home / _NET
    with os.scandir(home) as children:
        parts = sorted(child.name for child in children if child.is_dir(follow_symlinks=False) and _is_part(child.name))
    for part in parts:
        if _NET in entries_if_any(home / part):
            yield home / part / _NET


def _is_part(name: str) -> bool:
    """Below a bridge there are other functions; and an interface may be called ``net``."""
    return name != _NET and not _FUNCTION.fullmatch(name)
