"""A program that unbinds a device of this machine from vfio-pci, looks at it, and runs until it is told to end."""

from __future__ import annotations

import signal
import sys

from pathlib import Path

import anyio

from pcidevices import logs
from pcidevices.adapters.sysfs.control import SysfsControl
from pcidevices.adapters.sysfs.modules import KernelModules
from pcidevices.adapters.sysfs.writers import in_processes
from pcidevices.domain.address import PciAddress
from pcidevices.domain.steps import Unbind
from pcidevices.errors import HardwareError


async def main(address: PciAddress) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with (
            in_processes() as kernel,
            SysfsControl(
                sysfs=Path("/sys"),
                proc=Path("/proc"),
                dev=Path("/dev"),
                udev=Path("/run/udev/data"),
                kernel=kernel,
                modules=KernelModules(Path("/lib/modules")),
                on_return=lambda _: None,
                patience=2,
            ) as control,
        ):
            try:
                await control.take(Unbind(address, "vfio-pci"))
                said = "unbound"
            except HardwareError as error:
                said = error.reason
            await control.look(address)
            sys.stdout.write(f"{said}\n")
            sys.stdout.flush()
            async for _ in signals:
                return


if __name__ == "__main__":
    logs.configure("error", "json")
    anyio.run(main, PciAddress.parse(sys.argv[1]))
