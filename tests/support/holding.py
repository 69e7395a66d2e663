"""Files whose opening hangs until a test lets go, as attributes of a sleeping device do."""

from __future__ import annotations

import contextlib
import ctypes
import os

from collections.abc import Iterator
from pathlib import Path


_CLASS_CONTENT, _CLOEXEC, _NONBLOCK = 0x4, 0x1, 0x2
_MARK_ADD, _OPEN_PERM, _AT_FDCWD = 0x1, 0x10000, -100


class CannotHold(Exception):
    """The kernel does not let us: that takes CAP_SYS_ADMIN."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """
    Whoever opens the file at *path* waits until the block is left, even with O_NONBLOCK.

    A FIFO does not do: O_NONBLOCK opens it at once. This asks for fanotify(7) to be asked before each
    opening of this one file, and does not answer; closing the descriptor allows what waits.

    Raises:
        CannotHold: this process may not do so.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.fanotify_init(_CLASS_CONTENT | _CLOEXEC | _NONBLOCK, os.O_RDONLY | os.O_CLOEXEC)
    if fd < 0:
        raise CannotHold(os.strerror(ctypes.get_errno()))
    try:
        if libc.fanotify_mark(fd, _MARK_ADD, ctypes.c_uint64(_OPEN_PERM), _AT_FDCWD, os.fsencode(path)):
            raise CannotHold(os.strerror(ctypes.get_errno()))
        yield
    finally:
        os.close(fd)
