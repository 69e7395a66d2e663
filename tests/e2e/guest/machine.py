"""
A virtual machine that is given devices. Standard library only, and nothing of the rig: it runs in containers as well.

    python3 tests/e2e/guest/machine.py QEMU      with the devices that PCI_RESOURCE_… variables name, until it is ended

QEMU is the folder of the rig's own. On standard output stands what /dev/vfio has, and then what the firmware says.
"""

from __future__ import annotations

import os
import sys

from pathlib import Path


VARIABLE = "PCI_RESOURCE_"


def a_machine(qemu: Path, log: str, *addresses: str) -> list[str]:
    """
    The command of one that has devices of vfio-pci behind root ports of its own; it knows firmware only.

    The firmware tells on its debug port, which is *log*, what it finds, and then stays.
    """
    firmware = [word for it in ("seabios", "qemu") for word in ("-L", str(qemu / "usr/share" / it))]
    firmware += ["-L", "/usr/share/qemu", "-L", "/usr/lib/ipxe/qemu"]
    devices: list[str] = []
    ports = list(dict.fromkeys(address.rpartition(".")[0] for address in addresses))
    for number, _ in enumerate(ports):
        devices += ["-device", f"pcie-root-port,id=r{number},chassis={number + 1}"]
    for address in addresses:
        slot, _, function = address.rpartition(".")
        place = f"bus=r{ports.index(slot)},addr=0.{function},multifunction=on,rombar=0"
        devices += ["-device", f"vfio-pci,host={address},{place}"]
    command = [str(qemu / "usr/bin/qemu-system-x86_64"), *firmware, "-machine", "q35", "-accel", "tcg"]
    command += ["-cpu", "qemu64", "-m", "32", "-nodefaults", "-display", "none", "-no-reboot"]
    return [*command, "-debugcon", f"file:{log}", "-global", "isa-debugcon.iobase=0x402", *devices]


def main(qemu: str) -> None:
    """Become the machine that the container is there for."""
    given = sorted(it for name, value in os.environ.items() if name.startswith(VARIABLE) for it in value.split(","))
    print("in /dev/vfio:", *sorted(entry.name for entry in Path("/dev/vfio").iterdir()), flush=True)
    command = a_machine(Path(qemu), "/dev/stdout", *given)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
