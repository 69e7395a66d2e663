"""What the kernel may answer late or never: read apart, off the scan's path."""

from __future__ import annotations

import os

from contextlib import suppress
from pathlib import Path

from .files import folder, text


def serial_of(device: Path) -> str | None:
    """
    The serial number of the device in folder *device*, where the kernel tells one.

    ``serial_number`` (the Device Serial Number capability, since Linux 6.18) reads the configuration
    space, which waits for a sleeping or dying device; an NVMe controller tells its own.
    """
    with suppress(OSError), folder(device) as fd:
        if serial := text("serial_number", below=fd):
            return serial
    for controller in _subfolders(device / "nvme"):
        with suppress(OSError), folder(controller) as fd:
            if serial := text("serial", below=fd):
                return serial
    return None


def _subfolders(path: Path) -> list[Path]:
    with suppress(OSError):
        return [path / name for name in sorted(os.listdir(path))]  # noqa: PTH208
    return []
