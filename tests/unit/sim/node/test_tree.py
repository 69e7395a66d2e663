"""The files are shaped as the kernel shapes them."""

from __future__ import annotations

import os
import shutil
import subprocess

from pathlib import Path

import pytest

from pcidevices.sim.node import SimulatedNode, builtin_pci_ids, builtin_spec


GPU, AUDIO = "0000:5e:00.0", "0000:5e:00.1"
BOOT_DISK, MANAGEMENT, SCREEN = "0000:01:00.0", "0000:18:00.0", "0000:03:00.0"
PF, VF = "0000:86:00.0", "0000:86:00.1"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> SimulatedNode:
    """The built-in node, as it is at boot: these tests only read."""
    return SimulatedNode(tmp_path_factory.mktemp("builtin") / "node", builtin_spec())


def device(node: SimulatedNode, address: str) -> Path:
    return node.sysfs / "bus/pci/devices" / address


def test_devices_are_nested_below_their_bridges(node: SimulatedNode) -> None:
    """Links are relative, as in sysfs: a tree that is mounted elsewhere works the same."""
    assert device(node, GPU).readlink() == Path(f"../../../devices/pci0000:5d/0000:5d:00.0/{GPU}")
    assert (device(node, GPU) / "driver").readlink() == Path("../../../../bus/pci/drivers/nouveau")
    assert (node.sysfs / "bus/pci/drivers/nouveau" / GPU).resolve() == device(node, GPU).resolve()
    assert (device(node, GPU) / "subsystem").readlink() == Path("../../../../bus/pci")


def test_attributes_read_as_those_of_the_kernel(node: SimulatedNode) -> None:
    def read(name: str) -> str:
        return (device(node, GPU) / name).read_text()

    assert read("vendor") == "0x10de\n"
    assert read("device") == "0x1c02\n"
    assert read("class") == "0x030000\n"
    assert read("revision") == "0xa1\n"
    assert read("numa_node") == "0\n"
    assert read("local_cpulist") == "0-15,32-47\n"
    assert read("driver_override") == "(null)\n"
    assert read("enable") == "1\n"
    assert read("boot_vga") == "0\n"
    assert read("modalias") == "pci:v000010DEd00001C02sv000010DEsd00001C02bc03sc00i00\n"
    assert read("uevent").splitlines()[:2] == ["DRIVER=nouveau", "PCI_CLASS=30000"]


def test_modes_tell_what_can_be_written(node: SimulatedNode) -> None:
    modes = {
        name: oct((device(node, GPU) / name).stat().st_mode & 0o777)
        for name in ("vendor", "driver_override", "remove", "reset")
    }

    assert modes == {"vendor": "0o444", "driver_override": "0o644", "remove": "0o220", "reset": "0o200"}


def test_only_vga_devices_say_whether_they_show_the_console(node: SimulatedNode) -> None:
    assert (device(node, SCREEN) / "boot_vga").read_text() == "1\n"
    assert not (device(node, AUDIO) / "boot_vga").exists()


def test_bridges_say_which_buses_are_below(node: SimulatedNode) -> None:
    bridge = device(node, "0000:00:1c.4")

    assert (bridge / "secondary_bus_number").read_text() == "2\n"
    assert (bridge / "subordinate_bus_number").read_text() == "3\n"


def test_groups_link_to_their_devices_and_back(node: SimulatedNode) -> None:
    group = (device(node, GPU) / "iommu_group").resolve()

    assert group.parent == (node.sysfs / "kernel/iommu_groups").resolve()
    assert sorted(entry.name for entry in (group / "devices").iterdir()) == [GPU, AUDIO]
    assert (group / "type").read_text() == "DMA-FQ\n"


def test_virtual_functions_are_there_from_boot(node: SimulatedNode) -> None:
    assert (device(node, PF) / "sriov_numvfs").read_text() == "4\n"
    assert (device(node, PF) / "virtfn0").readlink() == Path(f"../{VF}")
    assert (device(node, VF) / "physfn").readlink() == Path(f"../{PF}")


def test_a_disk_with_multipath_is_not_below_its_device(node: SimulatedNode) -> None:
    """Below the device is only a hidden path; the class of subsystems leads from the one to the other."""
    (hidden,) = device(node, BOOT_DISK).glob("nvme/nvme*/nvme*c*n1")
    name = hidden.parent.name
    disk = (node.sysfs / f"class/block/{name}n1").resolve()

    assert (hidden / "hidden").read_text() == "1\n"
    assert not (hidden / "dev").exists()
    assert "devices/virtual/nvme-subsystem" in str(disk)
    assert (disk.parent / name / "address").read_text() == f"{BOOT_DISK}\n"
    assert (disk / f"{name}n1p2/partition").read_text() == "2\n"
    assert (node.sysfs / "block" / f"{name}n1").exists()
    assert (node.dev / f"{name}n1p2").exists()


def test_proc_tells_of_mounts_and_swap(node: SimulatedNode) -> None:
    (name,) = (path.parent.name for path in device(node, BOOT_DISK).glob("nvme/nvme*/address"))
    disk = f"/dev/{name}n1"

    assert f"{disk}p2 / ext4" in (node.proc / "mounts").read_text()
    assert f"{disk}p3 partition" in (node.proc / "swaps").read_text()
    numbers = (node.sysfs / f"class/block/{name}n1p2/dev").read_text().strip()
    assert f" {numbers} / / " in (node.proc / "1/mountinfo").read_text()


def test_an_interface_that_is_up_may_have_a_master(node: SimulatedNode) -> None:
    interface = node.sysfs / "class/net/eno1"

    assert (interface / "operstate").read_text() == "up\n"
    assert (interface / "master").readlink().name == "mgmt-bo"
    assert (interface / "device").resolve() == device(node, MANAGEMENT).resolve()


def test_modules_are_listed_unless_they_are_built_in(node: SimulatedNode) -> None:
    loaded = [line.split()[0] for line in (node.proc / "modules").read_text().splitlines()]

    assert "nouveau" in loaded
    assert "pcieportdrv" not in loaded
    assert "vfio_pci" not in loaded
    assert (node.sysfs / "module/nouveau/drivers/pci:nouveau").resolve() == node.sysfs / "bus/pci/drivers/nouveau"
    assert not (node.dev / "vfio").exists()


@pytest.mark.skipif(shutil.which("lspci") is None, reason="needs pciutils")
def test_lspci_reads_the_tree(node: SimulatedNode) -> None:
    """Names, classes, subsystems and drivers come out as on a machine that has these cards."""
    bus = node.sysfs / "bus/pci"
    command = ["lspci", "-A", "linux-sysfs", "-O", f"sysfs.path={bus}", "-i", str(builtin_pci_ids()), "-Dnnk"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert (
        f"{GPU} VGA compatible controller [0300]: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB] [10de:1c02]" in output
    )
    assert f"{VF} Ethernet controller [0200]: Mellanox Technologies MT27710 Family [ConnectX-4 Lx Virtual" in output
    used = {block.split()[0]: block for block in output.split("\n0000:") if "driver in use" in block}
    assert "Kernel driver in use: nouveau" in used[GPU.removeprefix("0000:")]
    assert "Subsystem: Samsung Electronics Co Ltd SSD 970 EVO [144d:a801]" in output
    unnamed = [line for line in output.splitlines() if "Device [" in line and not line.startswith("\tSubsystem")]
    assert unnamed == [], "every name is in the package's pci.ids"


def test_no_reader_sees_the_workshop(node: SimulatedNode) -> None:
    """Half-made files are beside the tree, not in it."""
    names = [name for _, _, files in os.walk(node.sysfs) for name in files]

    assert not [name for name in names if name.startswith(".")]
