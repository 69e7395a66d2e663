"""A folder in memory, where there is such a place: a node has thousands of files."""

from __future__ import annotations

import tempfile

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


_MEMORY = Path("/dev/shm")


@contextmanager
def in_memory() -> Iterator[Path]:
    """An empty folder for the length of the block; its path is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as path:
        yield Path(path)
