"""What the kernel may answer late or never: read apart, off the scan's path."""

from __future__ import annotations

import errno

from pathlib import Path

from .files import certain_text


_NONE = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV)
"""There is no such attribute, or no such device any more."""


def serial_of(device: Path) -> str | None:
    """
    The serial number of the device in folder *device*; None when it has none.

    ``serial_number`` (the Device Serial Number capability, since Linux 6.18) reads the configuration
    space, which waits for a sleeping or dying device; an NVMe controller tells its own.

    Raises:
        OSError: it has one that cannot be read.
    """
    places = [device / "serial_number", *(home / "serial" for home in _controllers(device / "nvme"))]
    return next(filter(None, map(_told, places)), None)


def serial_if_told(device: Path) -> str | None:
    """Likewise; None also when it cannot be read, for those who only show it."""
    try:
        return serial_of(device)
    except OSError:
        return None


def _told(path: Path) -> str | None:
    try:
        return certain_text(path) or None
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise


def _controllers(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        if error.errno in _NONE:
            return []
        raise
