"""Who has a device of the group open."""

from __future__ import annotations

import os

from dataclasses import replace
from pathlib import Path

import pytest

from pcidevices.adapters.sysfs.holders import holders
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice
from pcidevices.domain.sight import Holder
from tests.support.sysfs_tree import GPU, GPU_AUDIO, ROOT_PORT, Card, SysfsTree


A, B = PciAddress.parse("0000:07:00.0"), PciAddress.parse("0000:07:00.1")
VFIO = frozenset({"vfio-pci"})
ENABLED = "the device is enabled, as it is while a virtual machine has it"


class Machine:
    """A group of two functions, and the processes of a machine."""

    def __init__(self, tree: SysfsTree, root: Path) -> None:
        self.tree, self.proc, self.dev = tree, root / "proc", root / "dev"
        for folder in (self.proc, self.dev / "vfio"):
            folder.mkdir(parents=True)

    def has(self, address: PciAddress, card: Card = GPU, *, driver: str | None, enable: str = "0") -> PciDevice:
        attributes: dict[str, str | bytes] = {"enable": f"{enable}\n"}
        self.tree.plug(str(address), replace(card, attributes=attributes), driver=driver, group=26)
        return PciDevice(
            address=address,
            vendor="1234",
            device="1111",
            class_code=card.class_code,
            driver=driver,
            iommu_group="26",
            is_bridge=card.buses is not None,
        )

    def runs(self, pid: int, command: str, *opened: str) -> None:
        folder = self.proc / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(f"{command}\n")
        for number, target in enumerate(opened):
            (folder / "fd" / str(number)).symlink_to(target)

    def holders(self, *members: PciDevice) -> tuple[Holder, ...]:
        return holders(members, VFIO, sysfs=self.tree.root, proc=self.proc, dev=self.dev)


@pytest.fixture
def machine(tree: SysfsTree, tmp_path: Path) -> Machine:
    return Machine(tree, tmp_path)


@pytest.mark.parametrize("driver", ["vfio-pci", None])
def test_an_enabled_device_without_a_host_driver_is_held(machine: Machine, driver: str | None) -> None:
    """Also one that has no driver: the link goes when an unbind begins to hang; the group's node stays."""
    (machine.dev / "vfio/26").touch()

    assert machine.holders(machine.has(A, driver=driver, enable="1")) == (Holder(A, ENABLED),)


def test_a_device_that_a_host_driver_left_enabled_is_not_held(machine: Machine) -> None:
    """While it has no driver there is no node to open it by; on a vfio driver it sleeps."""
    assert machine.holders(machine.has(A, driver=None, enable="1")) == ()

    asleep = machine.has(B, driver="vfio-pci", enable="1")
    power = machine.tree.root / "bus/pci/devices" / str(B) / "power"
    power.mkdir(exist_ok=True)
    (power / "runtime_status").write_text("suspended\n")
    assert machine.holders(asleep) == ()


def test_a_device_that_the_host_drives_is_enabled_as_a_rule(machine: Machine) -> None:
    assert machine.holders(machine.has(A, driver="nouveau", enable="1")) == ()


def test_a_bridge_of_the_group_is_enabled_for_those_below_it(machine: Machine) -> None:
    assert machine.holders(machine.has(A, ROOT_PORT, driver=None, enable="1")) == ()


@pytest.mark.parametrize("content", ["0", "", "yes", "-1", "9" * 100])
def test_what_does_not_say_enabled_holds_nothing(machine: Machine, content: str) -> None:
    assert machine.holders(machine.has(A, driver="vfio-pci", enable=content)) == ()


def test_the_other_members_count_as_well(machine: Machine) -> None:
    members = machine.has(A, driver="vfio-pci"), machine.has(B, GPU_AUDIO, driver="vfio-pci", enable="2")

    assert machine.holders(*members) == (Holder(B, ENABLED),)


def test_a_process_with_the_groups_node_open_holds_the_group(machine: Machine) -> None:
    machine.runs(4711, "qemu-system-x86", "/dev/null", "/dev/vfio/26", "/dev/vfio/26")
    machine.runs(4712, "other", "/dev/vfio/2", "/dev/vfio/vfio", "socket:[1]")

    assert machine.holders(machine.has(A, driver="vfio-pci")) == (Holder(None, "process 4711 (qemu-system-x86)"),)


def test_a_process_with_a_devices_own_node_open_holds_the_device(machine: Machine) -> None:
    device = machine.has(A, driver="vfio-pci")
    (machine.tree[str(A)] / "vfio-dev/vfio3").mkdir(parents=True)
    machine.runs(4711, "qemu-system-x86", "/dev/vfio/devices/vfio3")

    assert machine.holders(device) == (Holder(A, "process 4711 (qemu-system-x86)"),)


def test_a_process_that_sees_the_nodes_where_we_do_is_found_too(machine: Machine) -> None:
    machine.runs(4711, "qemu", f"{machine.dev}/vfio/26")

    assert machine.holders(machine.has(A, driver="vfio-pci")) == (Holder(None, "process 4711 (qemu)"),)


def test_a_group_whose_devices_have_lost_their_drivers_is_held_while_its_node_is_there(machine: Machine) -> None:
    machine.runs(4711, "qemu", "/dev/vfio/26")
    device = machine.has(A, driver=None)
    before = machine.holders(device)

    (machine.dev / "vfio/26").touch()

    assert (before, machine.holders(device)) == ((), (Holder(None, "process 4711 (qemu)"),))


def test_where_only_the_host_has_drivers_nobody_is_looked_for(machine: Machine) -> None:
    machine.runs(4711, "qemu", "/dev/vfio/26")

    assert machine.holders(machine.has(A, driver="nouveau")) == ()


def test_we_ourselves_hold_nothing(machine: Machine) -> None:
    machine.runs(4711, "pcidevices", "/dev/vfio/26")
    (machine.proc / "self").symlink_to("4711")

    assert machine.holders(machine.has(A, driver="vfio-pci")) == ()


def test_a_process_that_ends_meanwhile_or_cannot_be_read_is_passed_over(machine: Machine) -> None:
    (machine.proc / "4710").mkdir()
    os.mkfifo(machine.proc / "4709")
    machine.runs(4711, "qemu", "/dev/vfio/26")
    (machine.proc / "4711/comm").unlink()

    assert machine.holders(machine.has(A, driver="vfio-pci")) == (Holder(None, "process 4711 (?)"),)
