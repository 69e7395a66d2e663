"""An empty node, to be given hardware."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sysfs_tree import SysfsTree


@pytest.fixture
def tree(memory: Path) -> SysfsTree:
    return SysfsTree(memory / "sys")
