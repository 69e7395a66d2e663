"""Reading for the guards: what cannot be read is an error, and never "there is none"."""

from __future__ import annotations

import errno
import os
import re

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from pcidevices.domain.legible import legible


T = TypeVar("T")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""How the kernel names folders of what has no name of its own: file systems, mediated devices."""
_NAMED_WRONGLY = (errno.ENOENT, errno.ENOTDIR)


def entries(path: Path) -> list[str]:
    """The names in a folder, in order; raises OSError, also when there is no such folder."""
    return sorted(os.listdir(path))  # noqa: PTH208  names are wanted, not paths


def entries_if_any(path: Path) -> list[str]:
    """Likewise, but none when there is no such folder: for folders that the kernel makes when it needs them."""
    try:
        return entries(path)
    except OSError as error:
        if error.errno in _NAMED_WRONGLY:
            return []
        raise


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; raises OSError when that cannot be told."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def target(path: Path) -> str | None:
    """The last part of what a link points to; None when there is no such link. Raises OSError."""
    try:
        return os.readlink(path).rpartition("/")[2]  # noqa: PTH115  the text is wanted, not a path
    except FileNotFoundError:
        return None


def text(path: Path) -> str:
    """The stripped text of a file; raises OSError."""
    return parsed(path, "".join).strip()


def parsed(path: Path, parse: Callable[[Iterator[str]], T]) -> T:
    """
    What *parse* makes of the lines of a file, which may be many; without their ends.

    Raises:
        OSError: the file cannot be read, or *parse* finds (ValueError) that it is not what it should be. It names
            the file.
    """
    try:
        with path.open("rb") as file:
            # As names in folders are decoded, with which those in the lines are compared.
            return parse(os.fsdecode(line).rstrip("\n") for line in file)
    except ValueError as error:
        raise OSError(errno.EBADMSG, f"not as the kernel writes it: {legible(str(error))}", str(path)) from error
    except OSError as error:
        if error.filename is None:  # opened, but not read
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
