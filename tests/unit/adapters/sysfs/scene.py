"""A control over plain files, and a kernel that hangs when it is told to."""

from __future__ import annotations

import threading

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from anyio import Event, fail_after

from pcidevices.adapters.sysfs.control import SysfsControl
from pcidevices.adapters.sysfs.modules import KernelModules
from pcidevices.adapters.sysfs.slow import serial_of
from pcidevices.adapters.sysfs.writers import ReadAndWrite
from pcidevices.domain.address import PciAddress
from tests.support.sysfs_tree import NIC, SysfsTree


A, B = PciAddress.parse("0000:04:00.0"), PciAddress.parse("0000:05:00.0")
SOON, LOOK_PATIENCE, SILENCE = 0.05, 0.4, 0.2


class Kernel:
    """Takes what is written; for some devices only once it is told to."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []
        self.hangs_for: set[PciAddress] = set()
        self.goes_on = Event()
        self.error: OSError | None = None
        self.unreadable: OSError | None = None

    async def write(self, path: Path, text: str) -> None:
        self.written.append((path.name, text))
        if any(str(address) in (text, path.parent.name) for address in self.hangs_for):
            await self.goes_on.wait()
        if self.error is not None:
            raise self.error

    async def read(self, path: Path) -> str:
        if path.parent.name in {str(address) for address in self.hangs_for}:
            await self.goes_on.wait()
        if self.unreadable is not None:
            raise self.unreadable
        return "(null)\n"


class Serials:
    """Serial numbers, read in threads; those of some devices come only once they are let go."""

    def __init__(self) -> None:
        self.hang_for: set[PciAddress] = set()
        self.asked: list[str] = []
        self._go_on = threading.Event()

    def let_go(self) -> None:
        self._go_on.set()

    def read(self, home: Path) -> str | None:
        self.asked.append(home.name)
        if home.name in {str(address) for address in self.hang_for}:
            self._go_on.wait()
        return serial_of(home)


class Scene:
    def __init__(self, tree: SysfsTree) -> None:
        self.kernel = Kernel()
        self.returned: list[PciAddress] = []
        self.has_returned = Event()
        self.serials = Serials()
        (tree.root / "bus/pci/drivers/vfio-pci").mkdir(parents=True)
        for address in (A, B):
            tree.plug(str(address), replace(NIC, attributes={"driver_override": "(null)\n"}), driver="e1000e")
        self._tree = tree

    def note(self, address: PciAddress) -> None:
        self.returned.append(address)
        self.has_returned.set()

    @asynccontextmanager
    async def control(self, *, patience: float = SOON, silence: float = SILENCE) -> AsyncIterator[SysfsControl]:
        nowhere = self._tree.root / "nowhere"
        with fail_after(10):
            async with SysfsControl(
                sysfs=self._tree.root,
                proc=nowhere,
                dev=nowhere,
                udev=nowhere,
                kernel=ReadAndWrite(self.kernel.read, self.kernel.write),
                modules=KernelModules(nowhere / "lib/modules", modprobe="true"),
                on_return=self.note,
                patience=patience,
                look_patience=LOOK_PATIENCE,
                silence=silence,
                serial_of=self.serials.read,
            ) as control:
                yield control
