from __future__ import annotations

import contextlib
import fcntl
import os
import struct

from pathlib import Path


_SET_IOMMU = 0x3B66
_GROUP_SET_CONTAINER = 0x3B68
_GROUP_GET_DEVICE_FD = 0x3B6A
_TYPE1 = 1


class VfioUser:
    """Has a device open, as a running virtual machine does. A second device of a group shares the group's user."""

    _groups: dict[str, tuple[int, int, int]] = {}  # noqa: RUF012 - a group can be opened once

    def __init__(self, address: str) -> None:
        self._group = Path(f"/sys/bus/pci/devices/{address}/iommu_group").readlink().name
        container, group, users = self._groups.get(self._group) or (*_open(self._group), 0)
        try:
            self._device = fcntl.ioctl(group, _GROUP_GET_DEVICE_FD, bytearray(address.encode() + b"\0"))
        finally:
            self._groups[self._group] = container, group, users
            if not users and not hasattr(self, "_device"):
                self._close_group()
        self._groups[self._group] = container, group, users + 1

    def close(self) -> None:
        os.close(self._device)
        container, group, users = self._groups[self._group]
        self._groups[self._group] = container, group, users - 1
        if users == 1:
            self._close_group()

    def _close_group(self) -> None:
        container, group, _ = self._groups.pop(self._group)
        os.close(group)
        os.close(container)


def _open(number: str) -> tuple[int, int]:
    with contextlib.ExitStack() as stack:
        container = os.open("/dev/vfio/vfio", os.O_RDWR | os.O_CLOEXEC)
        stack.callback(os.close, container)
        group = os.open(f"/dev/vfio/{number}", os.O_RDWR | os.O_CLOEXEC)
        stack.callback(os.close, group)
        fcntl.ioctl(group, _GROUP_SET_CONTAINER, struct.pack("i", container))
        fcntl.ioctl(container, _SET_IOMMU, _TYPE1)
        stack.pop_all()
    return container, group
