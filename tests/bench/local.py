"""Rows that need no cluster."""

from __future__ import annotations

import shutil
import subprocess
import tempfile

from collections.abc import Iterator
from pathlib import Path

from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.adapters.sysfs.pciidsfile import find
from pcidevices.adapters.sysfs.scan import scan as scan_once
from pcidevices.sim.node import SimulatedNode, load_spec
from tests.bench.rows import Row, median_seconds
from tests.e2e.cluster import BIN, a_spec


def scan() -> Iterator[Row]:
    """One look at a thousand functions, names and all, against the tool that everyone knows."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        node = SimulatedNode(Path(folder), load_spec(a_spec(1000)))
        pci_ids = PciIds(find())
        ours = median_seconds(lambda: scan_once(node.sysfs, names=pci_ids.names_of))
        if not (lspci := shutil.which("lspci")):
            print("scan: no rival here; install pciutils")
            return
        command = [lspci, "-O", f"sysfs.path={node.sysfs}/bus/pci", "-Dnnk"]
        rival = median_seconds(lambda: subprocess.run(command, capture_output=True, check=True))
    yield Row("scan of 1,000 functions", "s", ours, rival, "lspci -Dnnk on the same tree", "≤ 1")


def help_text() -> Iterator[Row]:
    """What a person waits for first."""
    ours = median_seconds(lambda: subprocess.run([BIN / "pcidevices", "--help"], capture_output=True, check=True))
    kubectl = [str(BIN / "kubectl"), "version", "--client"]
    rival = median_seconds(lambda: subprocess.run(kubectl, capture_output=True, check=True))
    yield Row("pcidevices --help", "s", ours, rival, "kubectl version --client", "≤ 0.15 s")
