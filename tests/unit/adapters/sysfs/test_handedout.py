"""What a driver of the host hands to virtual machines is in use, as far as anybody can tell."""

from __future__ import annotations

import pytest

from tests.support.sysfs_tree import NIC
from tests.unit.adapters.sysfs.host import Host


CARD = "0000:04:00.0"


def test_a_driver_that_uses_vfio_by_itself_hands_it_out(host: Host) -> None:
    """NVIDIA's does, for virtual functions; its name tells nothing."""
    folder = host.tree.plug(CARD, NIC, driver="nvidia", group=7)
    (folder / "vfio-dev/vfio3").mkdir(parents=True)

    assert host.uses(CARD) == ["nvidia hands it to virtual machines by itself, as vfio3"]


def test_a_vdpa_device_may_be_a_virtual_machines(host: Host) -> None:
    folder = host.tree.plug(CARD, NIC, driver="mlx5_core", group=7)
    (folder / "net0").mkdir()
    (host.tree.root / "bus/vdpa").mkdir(parents=True)
    (folder / "net0/subsystem").symlink_to(host.tree.root / "bus/vdpa")

    assert host.uses(CARD) == ["the vDPA device net0 is a part of it, which a virtual machine may have"]


@pytest.mark.parametrize("driver", ["mlx5_core", "vfio-pci"])
def test_any_other_child_is_nobodys(host: Host, driver: str) -> None:
    folder = host.tree.plug(CARD, NIC, driver=driver, group=7)
    (folder / "power").mkdir()

    assert host.uses(CARD) == []
