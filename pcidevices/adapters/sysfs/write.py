"""The one way by which anything on the node changes."""

from __future__ import annotations

import os

from pathlib import Path


def write(path: Path, text: str) -> None:
    """
    Hand *text* to a sysfs attribute in one system call, as the kernel wants it. Blocking, perhaps for ever.

    Raises:
        OSError: the kernel refused; its errno says why.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
