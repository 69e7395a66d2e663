"""The device mapper's own interface: no more than a program and a library less to install."""

from __future__ import annotations

import fcntl
import os
import struct


_HEAD = struct.Struct("=3I2IIiIIIQ128s129s7x")
_TARGET = struct.Struct("=QQiI16s")
_CREATE, _REMOVE, _RESUME, _LOAD = 0xC138FD03, 0xC138FD04, 0xC138FD06, 0xC138FD09
_SECTOR = 512


def map_onto(label: str, legs: list[tuple[str, int]]) -> None:
    """Make a device of *legs*, one after the other: paths and their sizes in sectors."""
    targets, start = b"", 0
    for path, size in legs:
        parameters = f"{path} 0".encode() + b"\0"
        parameters += bytes(-len(parameters) % 8)
        targets += _TARGET.pack(start, size, 0, _TARGET.size + len(parameters), b"linear") + parameters
        start += size
    _control(_CREATE, label)
    _control(_LOAD, label, targets, count=len(legs))
    _control(_RESUME, label)


def unmap(label: str) -> None:
    _control(_REMOVE, label)


def _control(command: int, label: str, targets: bytes = b"", *, count: int = 0) -> None:
    size = _HEAD.size + len(targets)
    head = _HEAD.pack(4, 0, 0, max(size, _SECTOR), _HEAD.size, count, 0, 0, 0, 0, 0, label.encode(), b"")
    control = os.open("/dev/mapper/control", os.O_RDWR)
    try:
        fcntl.ioctl(control, command, bytearray((head + targets).ljust(_SECTOR, b"\0")))
    finally:
        os.close(control)
