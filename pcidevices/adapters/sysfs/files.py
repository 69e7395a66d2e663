"""
Reading small files and links below an open folder, as cheaply as Python can.

What cannot be read is None. Only when the machine or this process has run out of descriptors or memory all raise
OSError: that says nothing of the file, and a virtual machine that is not seen may be there all the same.
"""

from __future__ import annotations

import errno
import os

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pcidevices.errors import HardwareError, HostExhausted, SysfsUnreadable


_PAGE = 4096
_LONGEST_NUMBER = 24  # of 64 bits, in any notation
# Nothing in sysfs minds O_NONBLOCK; a tree that somebody made by hand may hold a FIFO.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
OUT_OF_MEANS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
OUT_OF_PROCESSES = (*OUT_OF_MEANS, errno.EAGAIN)
"""Why none can be started, besides that its program is not there."""


def unless_out_of_means(error: OSError) -> None:
    """Raise *error* if it is about this process or the machine, and not about the file."""
    if error.errno in OUT_OF_MEANS:
        raise error


def cannot_see(what: str, error: OSError, *, unless: str) -> HardwareError:
    """The error that *error* is: that the host has nothing left to look with, or else the question *unless*."""
    if error.errno in OUT_OF_MEANS:
        return HostExhausted(f"{what}: {error.strerror}")
    return SysfsUnreadable(f"{what}: {error.strerror}; {unless}")


@contextmanager
def folder(path: str | os.PathLike[str], *, below: int | None = None) -> Iterator[int]:
    """
    Open a folder, for the length of the ``with`` block.

    What is read below the descriptor belongs to one life of a device: once the device is gone,
    everything below answers ENOENT or ENODEV, also when another device has taken its address.
    """
    fd = os.open(path, _FOLDER, dir_fd=below)
    try:
        yield fd
    finally:
        os.close(fd)


def certain_text(path: str | os.PathLike[str], *, below: int | None = None) -> str:
    """The stripped text of an attribute; raises OSError."""
    fd = os.open(path, _READ, dir_fd=below)
    try:
        return os.read(fd, _PAGE).decode(errors="replace").strip()
    finally:
        os.close(fd)


def text(name: str, *, below: int) -> str | None:
    """The stripped text of an attribute; None when there is none or it cannot be read."""
    try:
        return certain_text(name, below=below)
    except OSError as error:
        unless_out_of_means(error)
        return None


def exists(name: str, *, below: int) -> bool:
    """Whether there is such an attribute; it is not read."""
    return os.access(name, os.F_OK, dir_fd=below)


def link(name: str, *, below: int) -> str | None:
    """The last part of what a link points to; None when there is no such link."""
    try:
        return os.readlink(name, dir_fd=below).rpartition("/")[2]
    except OSError as error:
        unless_out_of_means(error)
        return None


def number(name: str, *, below: int) -> int | None:
    """An attribute that is a number, decimal or with ``0x``; None when there is none or it is no number."""
    digits = text(name, below=below) or ""
    with suppress(ValueError):
        return int(digits, 0) if len(digits) <= _LONGEST_NUMBER else None
    return None


def listing(path: Path) -> list[str]:
    """The names in a folder, in order; none when there is no such folder."""
    try:
        return sorted(os.listdir(path))  # noqa: PTH208  names are wanted, not paths
    except OSError as error:
        unless_out_of_means(error)
        return []
