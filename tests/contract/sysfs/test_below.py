"""What a host driver makes below its device goes with it, used or not."""

from __future__ import annotations

from pathlib import Path

from tests.contract.sysfs.world import Bus, wait_for


DISK, MANAGEMENT, SCREEN = "0000:00:08.0", "0000:00:0a.0", "0000:00:0b.0"


def disks(bus: Bus, address: str) -> list[Path]:
    """Found as they must be with native multipath: by way of the subsystem, which is not below the device."""
    systems = bus.world.sysfs / "class/nvme-subsystem"
    controllers = [path for path in systems.glob("*/nvme*/address") if path.read_text().strip() == address]
    return [disk for path in controllers for disk in path.parent.parent.glob("nvme*n1")]


def test_the_disk_of_a_controller_is_not_below_it(bus: Bus) -> None:
    """Below it is only a hidden path, without numbers of its own."""
    wait_for(lambda: len(disks(bus, DISK)) == 1)
    (hidden,) = bus.device(DISK).glob("nvme/nvme*/nvme*c*n1")
    (disk,) = disks(bus, DISK)

    assert (hidden / "hidden").read_text() == "1\n"
    assert not (hidden / "dev").exists()
    assert "devices/virtual/nvme-subsystem" in str(disk.resolve())
    assert (disk / "dev").exists()
    assert (bus.world.sysfs / "class/block" / disk.name).resolve() == disk.resolve()


def test_a_disk_goes_with_its_driver_and_comes_back(bus: Bus) -> None:
    wait_for(lambda: len(disks(bus, DISK)) == 1)

    bus.to_vfio(DISK)
    without = disks(bus, DISK)
    bus.give_back(DISK, "nvme")

    assert without == []
    wait_for(lambda: len(disks(bus, DISK)) == 1)


def test_a_virtio_interface_is_one_level_further_down(bus: Bus) -> None:
    assert bus.driver(MANAGEMENT) == "virtio-pci"
    assert not (bus.device(MANAGEMENT) / "net").exists()
    (interface,) = bus.device(MANAGEMENT).glob("virtio*/net/*")
    assert (bus.world.sysfs / "class/net" / interface.name).resolve() == interface.resolve()


def test_the_screen_of_the_console_says_so(bus: Bus) -> None:
    assert bus.read(SCREEN, "boot_vga") == "1"
