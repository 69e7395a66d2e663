"""A look at one device: all around it, and nothing else."""

from __future__ import annotations

import errno
import os

from dataclasses import replace
from pathlib import Path

import pytest

from anyio.lowlevel import checkpoint

from pcidevices.adapters.sysfs.hardware import SysfsHardware
from pcidevices.adapters.sysfs.modules import KernelModules
from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.adapters.sysfs.scan import scan
from pcidevices.adapters.sysfs.seeing import Override, Places, override_of, see, together
from pcidevices.adapters.sysfs.writers import Read, in_threads
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, PhysicalFunction, Unreadable
from pcidevices.domain.sight import Sight, VfioDriver
from pcidevices.errors import SysfsUnreadable
from pcidevices.runtime.debounce import Debounce
from tests.support.sysfs_tree import GPU, GPU_AUDIO, NIC, SRIOV_NIC, VF_NIC, SysfsTree


ADDRESS, AUDIO = PciAddress.parse("0000:04:00.0"), PciAddress.parse("0000:04:00.1")
NOWHERE = PciAddress.parse("0000:7f:00.0")
READ = in_threads(lambda _, __: None).read


@pytest.fixture
def places(tree: SysfsTree, tmp_path: Path) -> Places:
    for name in ("proc", "dev", "udev"):
        (tmp_path / name).mkdir()
    return Places(sysfs=tree.root, proc=tmp_path / "proc", dev=tmp_path / "dev", udev=tmp_path / "udev")


def seen(places: Places, address: PciAddress = ADDRESS) -> Sight:
    return see(address, places, KernelModules(places.proc))


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_a_device_and_its_group_are_seen_as_a_scan_sees_them(tree: SysfsTree, places: Places) -> None:
    tree.plug(str(ADDRESS), GPU, driver="nouveau", group=25)
    tree.plug(str(AUDIO), GPU_AUDIO, driver="snd_hda_intel", group=25)
    tree.plug("0000:05:00.0", NIC, driver="e1000e", group=26)
    tree.interface("0000:05:00.0", "eth0")

    sight = seen(places)

    gpu, audio, nic = scan(tree.root).scan.devices
    assert (sight.device, sight.others) == (gpu, (audio,))
    assert seen(places, PciAddress.parse("0000:05:00.0")).device == nic
    assert gpu.iommu_group_members == (ADDRESS, AUDIO)


def test_an_address_with_nothing_at_it_is_seen_as_that(places: Places) -> None:
    sight = seen(places, NOWHERE)

    assert (sight.device, sight.others, sight.host_uses, sight.holders) == (None, (), (), ())


def test_a_device_that_makes_no_sense_says_why_and_still_has_its_neighbours(tree: SysfsTree, places: Places) -> None:
    tree.plug(str(ADDRESS), replace(GPU, ids="zzzz:1111"), group=25)
    tree.plug(str(AUDIO), GPU_AUDIO, group=25)

    sight = seen(places)

    assert isinstance(sight.device, Unreadable)
    assert "vendor" in sight.device.problem
    assert [one.address for one in sight.others if isinstance(one, PciDevice)] == [AUDIO]


def test_virtual_functions_are_seen_with_their_drivers(tree: SysfsTree, places: Places) -> None:
    tree.plug(str(ADDRESS), SRIOV_NIC, driver="igb", group=23)
    for index in range(2):
        tree.virtual_function(str(ADDRESS), f"0000:04:10.{index}", group=30 + index)
    tree.bind("0000:04:10.1", "vfio-pci")

    sight = seen(places)

    functions = [one for one in sight.virtual_functions if isinstance(one, PciDevice)]
    assert [(str(one.address), one.driver, one.iommu_group) for one in functions] == [
        ("0000:04:10.0", None, "30"),
        ("0000:04:10.1", "vfio-pci", "31"),
    ]
    assert isinstance(sight.device, PciDevice)
    assert sight.device.sriov == PhysicalFunction(total_vfs=7, num_vfs=2)


def test_a_virtual_function_that_makes_no_sense_is_seen_as_that(tree: SysfsTree, places: Places) -> None:
    """It counts: perhaps a virtual machine has it."""
    tree.plug(str(ADDRESS), SRIOV_NIC, driver="igb", group=23)
    tree.virtual_function(str(ADDRESS), "0000:04:10.0", replace(VF_NIC, ids="zzzz:1111"))

    (function,) = seen(places).virtual_functions

    assert isinstance(function, Unreadable)
    assert function.name == "0000:04:10.0"


def test_without_a_bus_there_is_nothing_to_see(places: Places, tmp_path: Path) -> None:
    with pytest.raises(SysfsUnreadable, match="a sysfs"):
        seen(replace(places, sysfs=tmp_path / "nothing"))


def test_vfio_pci_is_the_driver_as_soon_as_it_is_there(tree: SysfsTree, places: Places) -> None:
    """One that is built in need not have a folder among the modules."""
    tree.plug(str(ADDRESS), GPU)
    before = seen(places)
    (tree.root / "bus/pci/drivers/vfio-pci").mkdir()
    built_in = seen(places)
    write(tree.root / "module/vfio_pci/drivers/pci:vfio-pci", "")

    assert (before.vfio, before.vfio_drivers) == (VfioDriver(module="vfio_pci"), frozenset())
    assert built_in.vfio == seen(places).vfio == VfioDriver(module="vfio_pci", name="vfio-pci")
    assert built_in.vfio_drivers == built_in.drivers == {"vfio-pci"}


def test_all_drivers_of_vfio_are_told_from_those_of_the_host(tree: SysfsTree, places: Places) -> None:
    """By their names, and by modules that have another name."""
    drivers = tree.root / "bus/pci/drivers"
    for name in ("e1000e", "vfio-pci", "mlx5_vfio_pci", "nvgrace-gpu-vfio-pci", "strange", "vfio-pci-x"):
        (drivers / name).mkdir()
    (tree.root / "module/vfio_pci").mkdir(parents=True)
    (drivers / "strange/module").symlink_to(tree.root / "module/vfio_pci")

    sight = seen(places, NOWHERE)

    assert sight.vfio_drivers == {"vfio-pci", "mlx5_vfio_pci", "nvgrace-gpu-vfio-pci", "strange"}
    assert sight.drivers == sight.vfio_drivers | {"e1000e", "vfio-pci-x"}


def test_a_look_and_a_scan_agree_on_a_variant_with_a_name_of_its_own(tree: SysfsTree, places: Places) -> None:
    """What the one calls Ready the other must not call unhealthy."""
    tree.plug(str(ADDRESS), GPU, driver="odd-one", group=25)
    (tree.root / "module/odd_gpu").mkdir(parents=True)
    (tree.root / "bus/pci/drivers/odd-one/module").symlink_to(tree.root / "module/odd_gpu")
    write(places.proc / os.uname().release / "modules.alias", "alias vfio_pci:v000010DEd* odd_gpu\n")

    sight = seen(places)

    hints = Debounce(quiet=0.01, limit=0.1)
    modules = KernelModules(places.proc)
    hardware = SysfsHardware(tree.root, pci_ids=PciIds(None), hints=hints, resync=600, modules=modules)
    (device,) = hardware.look().scan.devices
    assert sight.device == device
    assert (sight.vfio_drivers, device.is_on_vfio) == (frozenset({"odd-one"}), True)


def test_what_the_host_uses_is_in_doubt_used(tree: SysfsTree, places: Places) -> None:
    """The mounts cannot be read here."""
    tree.plug(str(ADDRESS), driver="ahci")
    tree.disk(str(ADDRESS), "sda", through="ata1/host0/target0:0:0/0:0:0:0")

    (use,) = seen(places).host_uses

    assert "cannot be read" in use.text
    assert "may be in use" in use.text


@pytest.mark.parametrize("driver", ["vfio-pci", None])
def test_what_no_driver_of_the_host_has_is_not_used_by_it(tree: SysfsTree, places: Places, driver: str | None) -> None:
    tree.plug(str(ADDRESS), NIC, driver=driver)
    (tree.root / "class/net").rmdir()

    assert seen(places).host_uses == ()


def test_a_disk_that_was_left_behind_still_counts(tree: SysfsTree, places: Places) -> None:
    tree.plug(str(ADDRESS), NIC)
    tree.disk(str(ADDRESS), "sda", through="ata1/host0/target0:0:0/0:0:0:0")

    assert len(seen(places).host_uses) == 1


def test_the_machines_uuid_is_told_in_lower_case(tree: SysfsTree, places: Places) -> None:
    before = seen(places, NOWHERE).machine
    write(tree.root / "class/dmi/id/product_uuid", "4C4C4544-0042-3510-8052-B4C04F313233\n")

    assert (before, seen(places, NOWHERE).machine) == (None, "4c4c4544-0042-3510-8052-b4c04f313233")


@pytest.mark.parametrize(("text", "override"), [("(null)\n", None), ("\n", None), ("vfio-pci\n", "vfio-pci")])
async def test_an_override_that_is_none_is_told_as_none(
    tree: SysfsTree, places: Places, text: str, override: str | None
) -> None:
    tree.plug(str(ADDRESS), replace(NIC, attributes={"driver_override": text}))

    assert await override_of(places.home(ADDRESS), READ) == Override(override)


async def test_a_device_that_is_gone_has_no_override(places: Places) -> None:
    assert await override_of(places.home(NOWHERE), READ) == Override(None)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENODEV])
async def test_a_device_that_goes_while_it_is_asked_has_no_override(places: Places, number: int) -> None:
    assert await override_of(places.home(ADDRESS), refusing(number)) == Override(None)


@pytest.mark.parametrize("number", [errno.EIO, errno.EAGAIN, errno.ENOMEM, errno.EACCES])
async def test_an_override_that_cannot_be_read_is_not_taken_for_none(places: Places, number: int) -> None:
    """A claim would be let go with its override left behind."""
    assert await override_of(places.home(ADDRESS), refusing(number)) is None


def refusing(number: int) -> Read:
    async def read(path: Path) -> str:
        await checkpoint()
        raise OSError(number, os.strerror(number), str(path))

    return read


def test_all_parts_of_a_look_make_one(tree: SysfsTree, places: Places) -> None:
    tree.plug(str(ADDRESS), NIC)

    whole = together(seen(places), Override("vfio-pci"), serial="7")

    assert whole.override == "vfio-pci"
    assert isinstance(whole.device, PciDevice)
    assert whole.device.serial == "7"


def test_what_has_not_been_answered_leaves_a_look_as_it_is(tree: SysfsTree, places: Places) -> None:
    tree.plug(str(ADDRESS), NIC)
    sight = seen(places)

    assert together(sight, None, serial=None) == sight
