"""An empty node, to be given hardware."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sysfs_tree import SysfsTree
from tests.unit.adapters.sysfs.host import Host


@pytest.fixture
def tree(tmp_path: Path) -> SysfsTree:
    return SysfsTree(tmp_path / "sys")


@pytest.fixture
def host(tmp_path: Path, tree: SysfsTree) -> Host:
    return Host(tmp_path, tree)
