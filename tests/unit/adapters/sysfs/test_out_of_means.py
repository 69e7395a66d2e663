"""Without a descriptor left nothing is seen, which is not the same as that there is nothing."""

from __future__ import annotations

import errno
import os

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcidevices.adapters.sysfs.hardware import SysfsHardware
from pcidevices.adapters.sysfs.modules import KernelModules
from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.adapters.sysfs.seeing import Places, see
from pcidevices.domain.address import PciAddress
from pcidevices.errors import HostExhausted
from pcidevices.runtime.debounce import Debounce
from tests.support.sysfs_tree import GPU, GPU_AUDIO, SysfsTree


ADDRESS = PciAddress.parse("0000:04:00.0")


class Means:
    """Descriptors, of which there is none left for one call: the one with this *number*, counted from 1."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self.calls = 0
        for where, name in ((os, "open"), (os, "listdir"), (os, "readlink"), (Path, "open")):
            patch.setattr(where, name, self._counted(getattr(where, name)))

    def _counted(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(*what: Any, **how: Any) -> Any:
            self.calls += 1
            if self.calls == self.number:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(what[0]))
            return really(*what, **how)

        return call


@pytest.fixture
def modules(tmp_path: Path) -> KernelModules:
    root = tmp_path / "modules"
    (root / os.uname().release).mkdir(parents=True)
    (root / os.uname().release / "modules.alias").write_text("alias vfio_pci:v000010DEd*sv*sd*bc*sc*i* odd_one\n")
    return KernelModules(root)


@pytest.fixture
def places(tree: SysfsTree, tmp_path: Path) -> Places:
    """A virtual machine has both functions of a card."""
    tree.plug(str(ADDRESS), GPU, driver="vfio-pci", group=25)
    tree.plug("0000:04:00.1", GPU_AUDIO, driver="odd-one", group=25)
    (tree.root / "module/odd_one").mkdir(parents=True)
    (tree.root / "bus/pci/drivers/odd-one/module").symlink_to(tree.root / "module/odd_one")
    for name in ("proc/4711/fd", "dev/vfio", "udev"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "proc/self").symlink_to("1")
    (tmp_path / "proc/4711/comm").write_text("qemu-system-x86\n")
    (tmp_path / "proc/4711/fd/7").symlink_to("/dev/vfio/25")
    (tmp_path / "dev/vfio/25").touch()
    return Places(sysfs=tree.root, proc=tmp_path / "proc", dev=tmp_path / "dev", udev=tmp_path / "udev")


def test_a_look_sees_all_or_says_that_it_does_not(
    places: Places, modules: KernelModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of its calls fails: least of all is a virtual machine that is not seen one that is not there."""
    whole = see(ADDRESS, places, modules)
    assert [holder.text for holder in whole.holders] == ["process 4711 (qemu-system-x86)"]
    assert whole.vfio_drivers == {"vfio-pci", "odd-one"}
    means = Means(monkeypatch)
    see(ADDRESS, places, modules)

    for number in range(1, means.calls + 1):
        means.calls, means.number = 0, number
        try:
            sight = see(ADDRESS, places, KernelModules(places.proc.parent / "modules"))
        except HostExhausted as error:
            assert "Too many open files" in str(error)  # noqa: PT017  any number of them
        else:
            assert sight == whole, number


def test_a_scan_sees_each_device_as_it_is_or_says_that_it_does_not(
    places: Places, modules: KernelModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints = Debounce(quiet=0.1, limit=1.0)
    hardware = SysfsHardware(places.sysfs, modules=modules, hints=hints, pci_ids=PciIds(None), resync=1.0)
    whole = hardware.look().scan
    means = Means(monkeypatch)
    hardware.look()

    for number in range(1, means.calls + 1):
        means.calls, means.number = 0, number
        try:
            scan = hardware.look().scan
        except HostExhausted as error:
            assert "Too many open files" in str(error)  # noqa: PT017  any number of them
        else:
            assert scan == whole, number
