"""Uses of devices that are neither disks nor NICs, and what must be known of every device."""

from __future__ import annotations

import pytest

from pcidevices.adapters.sysfs.hostuse import host_uses
from tests.support.builders import a_gpu
from tests.support.sysfs_tree import GPU, NIC
from tests.unit.adapters.sysfs.host import Host


CARD = "0000:04:00.0"
PART = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"


def test_a_mediated_device_is_a_use(host: Host) -> None:
    """Such as a part of a GPU that a virtual machine has."""
    folder = host.tree.plug(CARD, GPU, driver="nvidia")
    for name in ("mdev_supported_types", PART, "power"):
        (folder / name).mkdir()

    assert host.uses(CARD) == [f"the mediated device {PART} is a part of it"]


def test_a_device_that_could_have_mediated_ones_is_not_in_use(host: Host) -> None:
    (host.tree.plug(CARD, GPU, driver="i915") / "mdev_supported_types").mkdir()

    assert host.uses(CARD) == []


@pytest.mark.parametrize("driver", ["uio_pci_generic", "igb_uio"])
def test_a_driver_for_programs_is_a_use(host: Host, driver: str) -> None:
    host.tree.plug(CARD, NIC, driver=driver)

    assert host.uses(CARD) == [f"{driver} hands it to programs of the host, such as DPDK"]


def test_a_device_that_has_gone_is_an_error(host: Host) -> None:
    with pytest.raises(FileNotFoundError, match=CARD):
        host_uses(a_gpu(CARD), sysfs=host.tree.root, proc=host.proc, udev=host.udev)


@pytest.mark.parametrize("name", ["class/net", "class/block"])
def test_a_class_that_the_scan_could_not_list_is_an_error(host: Host, name: str) -> None:
    """The scan found no disks and no interfaces there, which proves nothing."""
    host.tree.plug(CARD, GPU, driver="nvidia")
    (host.tree.root / name).rmdir()

    with pytest.raises(FileNotFoundError, match=name):
        host.uses(CARD)


def test_a_device_without_disks_and_interfaces_needs_no_proc(host: Host) -> None:
    host.tree.plug(CARD, GPU, driver="nvidia")
    host.proc.rename(host.proc.parent / "away")

    assert host.uses(CARD) == []
