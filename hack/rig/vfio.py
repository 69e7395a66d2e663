"""
Hold devices as a virtual machine does, without one.

    python3 $RIG/vfio.py 00:03.0 07:00.0 07:00.1      until it is killed; says "held" when it holds them
"""

import fcntl
import os
import signal
import struct
import sys

from pathlib import Path
from typing import Self


# linux/vfio.h
SET_IOMMU, SET_CONTAINER, GET_DEVICE, SET_IRQS = (ord(";") << 8 | 100 + number for number in (2, 4, 6, 10))
TYPE1 = 1
EVENTFD_TRIGGER = 4 | 32
REQUEST = 4


class VfioUser:
    """
    A process that has devices of vfio-pci open. This is what makes an unbind of them hang.

    With `opened=False` it has only their groups; that makes nothing hang. A child of this process inherits what is
    open: if it unbinds the device, it waits for itself.
    """

    def __init__(self, *addresses: str, opened: bool = True) -> None:
        self.devices: dict[str, int] = {}
        self._files: list[int] = []
        try:
            groups = self._groups([_full(address) for address in addresses])
            for address in groups if opened else ():
                # Only a bytearray makes ioctl return what the kernel returns.
                device = fcntl.ioctl(groups[address], GET_DEVICE, bytearray(f"{address}\0".encode()))
                self.devices[address] = self._keep(device)
        except BaseException:
            self.close()
            raise

    def _groups(self, addresses: list[str]) -> dict[str, int]:
        """The group of each device, in one container; each is opened once, since it can be."""
        container = self._keep(os.open("/dev/vfio/vfio", os.O_RDWR))
        numbers = {it: Path("/sys/bus/pci/devices", it, "iommu_group").readlink().name for it in addresses}
        files = {}
        for number in sorted(set(numbers.values())):
            files[number] = self._keep(os.open(f"/dev/vfio/{number}", os.O_RDWR))
            fcntl.ioctl(files[number], SET_CONTAINER, struct.pack("i", container))
        fcntl.ioctl(container, SET_IOMMU, TYPE1)
        return {address: files[number] for address, number in numbers.items()}

    def requests(self, address: str) -> int:
        """An eventfd that the kernel raises, every ten seconds, while somebody wants the device back."""
        event = self._keep(os.eventfd(0))
        order = struct.pack("IIIIIi", 24, EVENTFD_TRIGGER, REQUEST, 0, 1, event)
        fcntl.ioctl(self.devices[_full(address)], SET_IRQS, order)
        return event

    def close(self) -> None:
        """Let go, of the devices first."""
        while self._files:
            os.close(self._files.pop())

    def _keep(self, file: int) -> int:
        self._files.append(file)
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _full(address: str) -> str:
    return address if address.count(":") == 2 else f"0000:{address}"


def main(*addresses: str) -> None:
    """Hold devices until a signal comes."""
    with VfioUser(*addresses) as user:
        print("held", *user.devices, flush=True)
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
