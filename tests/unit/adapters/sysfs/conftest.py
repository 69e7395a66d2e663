"""An empty node, to be given hardware."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sysfs_tree import SysfsTree


@pytest.fixture
def tree(tmp_path: Path) -> SysfsTree:
    return SysfsTree(tmp_path / "sys")
