"""The agent's pod has only parts of the host's sysfs; a look sees as much there as on the host."""

from __future__ import annotations

import re

from dataclasses import replace
from pathlib import Path

import pytest

from pcidevices.adapters.sysfs.modules import KernelModules
from pcidevices.adapters.sysfs.scan import scan
from pcidevices.adapters.sysfs.seeing import Places, see
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice
from tests.support.sysfs_tree import GPU, GPU_AUDIO, NIC, SRIOV_NIC, SysfsTree


MANIFEST = Path(__file__).parents[4] / "manifests/base/daemonset.yaml"
MOUNTED = {path.split("/")[0] for path in re.findall(r"mountPath: /host/sys/(\S+)", MANIFEST.read_text())}
BESIDE = "0000:00:1f.0"


@pytest.fixture
def places(tree: SysfsTree, tmp_path: Path) -> Places:
    attributes: dict[str, str | bytes] = {"modalias": "pci:v1", "enable": "1\n"}
    tree.plug("0000:04:00.0", replace(GPU, attributes=attributes), driver="vfio-pci", group=25)
    tree.plug("0000:04:00.1", replace(GPU_AUDIO, attributes=attributes), driver="snd_hda_intel", group=25)
    tree.plug("0000:05:00.0", NIC, driver="e1000e", group=26)
    tree.interface("0000:05:00.0", "eth0")
    tree.plug("0000:06:00.0", SRIOV_NIC, driver="igb", group=27)
    tree.virtual_function("0000:06:00.0", "0000:06:10.0", group=28)
    tree.plug(BESIDE, NIC, driver="e1000e")
    (tree.root / "module").mkdir(exist_ok=True)
    for name in ("proc", "dev", "udev"):
        (tmp_path / name).mkdir()
    return Places(sysfs=tree.root, proc=tmp_path / "proc", dev=tmp_path / "dev", udev=tmp_path / "udev")


def test_a_look_sees_in_the_pod_what_it_sees_on_the_host(tree: SysfsTree, places: Places, tmp_path: Path) -> None:
    """Else the neighbours of a card would be missing, which the host or a virtual machine may use."""
    modules = KernelModules(places.proc)
    devices = [device.address for device in scan(tree.root).scan.devices]
    on_the_host = {address: see(address, places, modules) for address in devices}
    assert {"bus", "devices", "class", "module"} <= MOUNTED

    for part in [part for part in tree.root.iterdir() if part.name not in MOUNTED]:
        part.rename(tmp_path / part.name)

    assert not (tree.root / "kernel").exists()
    assert {address: see(address, places, modules) for address in devices} == on_the_host


def test_a_look_and_a_scan_tell_the_same_neighbours_in_the_pod(tree: SysfsTree, places: Places, tmp_path: Path) -> None:
    (tree.root / "kernel").rename(tmp_path / "kernel")

    for scanned in scan(tree.root).scan.devices:
        sight = see(scanned.address, places, KernelModules(places.proc))
        assert sight.device == scanned
        assert {one.address for one in sight.others if isinstance(one, PciDevice)} == (
            set(scanned.iommu_group_members) - {scanned.address}
        )

    assert see(PciAddress.parse(BESIDE), places, KernelModules(places.proc)).others == ()
