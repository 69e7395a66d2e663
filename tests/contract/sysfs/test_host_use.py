"""What of the host hangs on a device is seen, whoever uses it and however; and no longer when it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pcidevices.adapters.sysfs.hostuse import host_uses
from pcidevices.adapters.sysfs.scan import scan
from pcidevices.domain.device import PciDevice
from tests.contract.sysfs.world import Bus, wait_for


WHOLE, PARTITIONED = "0000:00:07.0", "0000:00:08.0"
NIC, MANAGEMENT = "0000:00:04.0", "0000:00:0a.0"
WHERE = "/run/a disk"


def seen(bus: Bus, address: str) -> PciDevice:
    return next(device for device in scan(bus.world.sysfs).scan.devices if str(device.address) == address)


def uses(bus: Bus, address: str) -> list[str]:
    world = bus.world
    return [use.text for use in host_uses(seen(bus, address), sysfs=world.sysfs, proc=world.proc, udev=world.udev)]


def part_of(bus: Bus, address: str) -> str:
    """The disk, or its partition if it has one."""
    wait_for(lambda: bool(seen(bus, address).block_devices))
    (disk,) = seen(bus, address).block_devices
    return f"{disk}p1" if address == PARTITIONED else disk


def interface_of(bus: Bus, address: str) -> str:
    wait_for(lambda: bool(seen(bus, address).network_interfaces))
    (interface,) = seen(bus, address).network_interfaces
    return interface


@contextmanager
def ends_without_use(bus: Bus, address: str) -> Iterator[None]:
    """What the block does is undone in it; a kernel may take a moment to forget."""
    assert uses(bus, address) == []
    yield
    wait_for(lambda: _is_free(bus, address))


def _is_free(bus: Bus, address: str) -> bool:
    try:
        return uses(bus, address) == []
    except OSError:  # a name that has come since the scan
        return False


@pytest.mark.parametrize("address", [WHOLE, PARTITIONED])
def test_a_mounted_file_system_is_a_use_of_the_disk(bus: Bus, address: str) -> None:
    """On the whole disk or on a partition; blanks in the place come out as blanks."""
    name = part_of(bus, address)

    with ends_without_use(bus, address):
        bus.world.storage.mount(name, WHERE)
        while_mounted = uses(bus, address)
        bus.world.storage.unmount(WHERE)

    assert while_mounted == [f"/dev/{name} is mounted at {WHERE}"]


def test_a_file_system_that_only_a_container_sees_is_a_use(bus: Bus) -> None:
    """No table of mounts that we read tells of it; that the kernel has it open does."""
    name = part_of(bus, PARTITIONED)

    with ends_without_use(bus, PARTITIONED):
        bus.world.storage.mount(name, WHERE, elsewhere=True)
        while_mounted = uses(bus, PARTITIONED)
        bus.world.storage.unmount(WHERE)

    assert while_mounted == [f"the ext4 file system on /dev/{name} is in use, perhaps in another mount namespace"]


@pytest.mark.parametrize("address", [WHOLE, PARTITIONED])
def test_swap_space_is_a_use(bus: Bus, address: str) -> None:
    name = part_of(bus, address)

    with ends_without_use(bus, address):
        bus.world.storage.swap_on(name)
        while_on = uses(bus, address)
        bus.world.storage.swap_off(name)

    assert while_on == [f"/dev/{name} is swap space"]


@pytest.mark.parametrize("address", [WHOLE, PARTITIONED])
def test_a_leg_of_a_mapped_device_is_in_use(bus: Bus, address: str) -> None:
    """As with LVM, encryption and multipath: the mapper's name for it is told."""
    name = part_of(bus, address)

    with ends_without_use(bus, address):
        bus.world.storage.map("volume", name)
        while_mapped = uses(bus, address)
        bus.world.storage.unmap("volume")

    assert while_mapped == [f"/dev/{name} is held by dm-0 (volume)"]


def test_a_disk_below_a_mapped_device_tells_of_each_leg(bus: Bus) -> None:
    names = [part_of(bus, address) for address in (WHOLE, PARTITIONED)]

    bus.world.storage.map("volume", *names)
    while_mapped = [use for address in (WHOLE, PARTITIONED) for use in uses(bus, address)]
    bus.world.storage.unmap("volume")

    assert while_mapped == [f"/dev/{name} is held by dm-0 (volume)" for name in names]


def test_of_a_machine_at_rest_one_device_is_in_use(bus: Bus) -> None:
    """The NIC by which it is reached; what is merely plugged in and has a driver is not."""
    in_use = [
        str(device.address)
        for device in scan(bus.world.sysfs).scan.devices
        if host_uses(device, sysfs=bus.world.sysfs, proc=bus.world.proc, udev=bus.world.udev)
    ]

    assert in_use == [MANAGEMENT]


def test_the_default_route_is_a_use_of_its_interface(bus: Bus) -> None:
    """Of a NIC below virtio here, as in most virtual machines."""
    name = interface_of(bus, MANAGEMENT)

    assert uses(bus, MANAGEMENT) == [f"IPv4 routes go through {name}: the default route and 1 more"]


def test_an_address_is_a_use_of_its_interface(bus: Bus) -> None:
    """That of IPv4 shows by the route to its network."""
    name = interface_of(bus, NIC)

    with ends_without_use(bus, NIC):
        bus.world.network.set_address(name, "192.0.2.1/24", "2001:db8::1/64")
        while_set = uses(bus, NIC)
        bus.world.network.set_down(name)

    assert f"IPv4 routes go through {name}: 192.0.2.0/24" in while_set
    assert f"{name} has the address 2001:db8::1" in while_set


def test_an_address_without_a_subnet_is_a_use_of_its_interface(bus: Bus) -> None:
    """It makes no route; the kernel tells where it is, or it may be on any interface that is up."""
    name = interface_of(bus, NIC)

    with ends_without_use(bus, NIC):
        bus.world.network.set_address(name, "192.0.2.1/32")
        (while_set,) = uses(bus, NIC)
        bus.world.network.set_down(name)

    assert "has the address 192.0.2.1" in while_set
    assert name in while_set


def test_an_interface_that_is_merely_up_is_not_in_use(bus: Bus) -> None:
    """Its link-local address and the routes that come with it are no use."""
    name = interface_of(bus, NIC)

    with ends_without_use(bus, NIC):
        bus.world.network.set_address(name)
        while_up = uses(bus, NIC)
        bus.world.network.set_down(name)

    assert while_up == []


def test_an_interface_that_belongs_to_another_is_in_use(bus: Bus) -> None:
    """To a bridge, or to a bond; it needs no address of its own."""
    name = interface_of(bus, NIC)

    with ends_without_use(bus, NIC):
        bus.world.network.enslave(name, "bridge9")
        while_enslaved = uses(bus, NIC)
        bus.world.network.free(name)

    assert while_enslaved == [f"{name} belongs to bridge9"]


def test_an_interface_with_another_on_it_is_in_use(bus: Bus) -> None:
    name = interface_of(bus, NIC)

    with ends_without_use(bus, NIC):
        bus.world.network.put_on(name, "vlan5")
        while_on = uses(bus, NIC)
        bus.world.network.take_off(name, "vlan5")

    assert while_on == [f"{name} carries vlan5"]


def test_an_interface_in_another_network_namespace_is_in_use(bus: Bus) -> None:
    """A container has it. What is left of it here is the folder that it was in, empty."""
    name = interface_of(bus, NIC)

    with ends_without_use(bus, NIC):
        bus.world.network.send_away(name)
        while_away = uses(bus, NIC)
        folder = list((bus.device(NIC) / "net").iterdir())
        bus.world.network.call_back(name)

    assert while_away == [f"the network interface of {NIC} is in another network namespace, or sysfs is not the host's"]
    assert folder == []
    assert interface_of(bus, NIC) == name
