from __future__ import annotations

from pathlib import Path

import pytest

from pcidevices.adapters.sysfs.pciidsfile import edition
from pcidevices.sim.node import builtin_pci_ids


HEAD = b"#\n#\tList of PCI ID's\n#\n#\tVersion: 2025.03.01\n#\tDate:    2025-03-01 03:15:02\n#\n0001  SafeNet\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD, "2025.03.01"),
        (HEAD.replace(b"\n", b"\r\n"), "2025.03.01"),
        (b"", "unknown"),
        (b"0001  Version: 1\n", "unknown"),
        (b"#\n" * 40 + HEAD, "unknown"),
        (b"# Version: \xff\n", "\N{REPLACEMENT CHARACTER}"),
    ],
    ids=["as published", "saved elsewhere", "empty", "a vendor of that name", "far below the head", "not text"],
)
def test_the_head_of_the_database_tells_which_one_it_is(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / "pci.ids").write_bytes(text)

    assert edition(tmp_path / "pci.ids") == told


def test_a_database_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert edition(tmp_path / "pci.ids") == "unknown"


def test_the_database_of_the_demo_may_have_no_version() -> None:
    assert edition(builtin_pci_ids())
