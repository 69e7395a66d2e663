"""An empty node, to be given hardware, and an empty folder; in memory where there is such a place."""

from __future__ import annotations

import tempfile

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sysfs_tree import SysfsTree


MEMORY = Path("/dev/shm")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in which ten thousands of files are made in a second."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as path:
        yield Path(path)


@pytest.fixture
def tree(memory: Path) -> SysfsTree:
    return SysfsTree(memory / "sys")
