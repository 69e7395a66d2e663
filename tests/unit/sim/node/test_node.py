"""What the contract suite cannot ask a real machine for."""

from __future__ import annotations

import errno
import threading

import pytest

from pcidevices.sim.node import Address, DeviceSpec, Ids, NotSimulatedError
from tests.unit.sim.node.conftest import MakeNode


NIC = "0000:00:03.0: {id: 8086:10d3, class: 0200, driver: e1000e, net: {name: eth0}}"
ADDRESS = "0000:00:03.0"


def test_without_iommu_there_are_no_groups_and_vfio_refuses(make_node: MakeNode) -> None:
    """`bind` says invalid, a probe says ok."""
    node = make_node(f"iommu: off\ndevices: {{{NIC}}}")
    bus = node.sysfs / "bus/pci"
    node.load_module("vfio-pci")
    node.write(bus / f"devices/{ADDRESS}/driver_override", "vfio-pci")
    node.write(bus / f"devices/{ADDRESS}/driver/unbind", ADDRESS)

    with pytest.raises(OSError, match="Invalid argument"):
        node.write(bus / "drivers/vfio-pci/bind", ADDRESS)
    node.write(bus / "drivers_probe", ADDRESS)

    assert not (bus / f"devices/{ADDRESS}/iommu_group").exists()
    assert not (bus / f"devices/{ADDRESS}/driver").exists()
    assert list((node.sysfs / "kernel/iommu_groups").iterdir()) == []


def test_a_port_without_acs_is_in_the_group_of_its_cards(make_node: MakeNode) -> None:
    """As on desktop machines; the port blocks nothing."""
    node = make_node(
        "devices: {0000:00:01.0: {id: 8086:1901, class: 0604, bridge: {buses: 01, acs: no}},"
        " 0000:01:00.0: {id: 10de:1c02, class: 0300}}"
    )

    groups = [
        (node.sysfs / f"bus/pci/devices/{name}/iommu_group").resolve() for name in ("0000:00:01.0", "0000:01:00.0")
    ]
    assert groups[0] == groups[1]


def test_devices_of_one_named_group_share_it(make_node: MakeNode) -> None:
    node = make_node(
        "devices: {0000:00:1f.0: {id: 8086:2918, class: 0601, group: a},"
        " 0000:00:02.0: {id: 8086:2922, class: 0106, group: a}}"
    )

    assert [entry.name for entry in (node.sysfs / "kernel/iommu_groups").iterdir()] == ["0"]


def test_a_missing_module_cannot_be_loaded(make_node: MakeNode) -> None:
    node = make_node("modules: {vfio-pci: missing}")

    with pytest.raises(FileNotFoundError):
        node.load_module("vfio-pci")


def test_a_module_in_use_stays(make_node: MakeNode) -> None:
    node = make_node(f"devices: {{{NIC}}}")
    node.load_module("vfio-pci")
    node.write(node.sysfs / f"bus/pci/devices/{ADDRESS}/driver_override", "vfio-pci")
    node.write(node.sysfs / "bus/pci/drivers/e1000e/unbind", ADDRESS)
    node.write(node.sysfs / "bus/pci/drivers/vfio-pci/bind", ADDRESS)
    node.hold(ADDRESS)

    with pytest.raises(BlockingIOError):
        node.unload_module("vfio-pci")


def test_virtio_devices_have_their_interfaces_and_disks_one_level_down(make_node: MakeNode) -> None:
    node = make_node(
        "devices: {0000:00:04.0: {id: 1af4:1000, class: 0200, driver: virtio-pci, net: {name: ens4, virtio: yes}},"
        " 0000:00:05.0: {id: 1af4:1001, class: 0100, driver: virtio-pci, disk: {kind: virtio, name: vda}},"
        " 0000:00:1f.0: {id: 8086:2922, class: 010601, driver: ahci, disk: {kind: ata, name: sda}}}"
    )
    devices = node.sysfs / "bus/pci/devices"

    assert (devices / "0000:00:04.0/virtio0/net/ens4").is_dir()
    assert (devices / "0000:00:05.0/virtio1/block/vda").is_dir()
    assert (devices / "0000:00:1f.0/ata1/host0/target0:0:0/0:0:0:0/block/sda").is_dir()
    assert (node.sysfs / "bus/virtio/devices/virtio1/driver").readlink().name == "virtio_blk"

    node.write(devices / "0000:00:05.0/driver/unbind", "0000:00:05.0")
    node.write(devices / "0000:00:1f.0/driver/unbind", "0000:00:1f.0")
    assert [entry.name for entry in (node.sysfs / "class/block").iterdir()] == []
    assert not (devices / "0000:00:1f.0/ata1").exists()


def test_a_host_driver_that_does_not_know_a_device_does_not_take_it(make_node: MakeNode) -> None:
    """An override makes it try, no more."""
    node = make_node(f"devices: {{{NIC}, 0000:00:04.0: {{id: 1234:11e8, class: 00ff}}}}")
    node.write(node.sysfs / "bus/pci/devices/0000:00:04.0/driver_override", "e1000e")

    with pytest.raises(OSError, match="No such device"):
        node.write(node.sysfs / "bus/pci/drivers/e1000e/bind", "0000:00:04.0")


def test_a_replugged_device_is_another_folder(make_node: MakeNode) -> None:
    """Who has the old one open reads from a device that is gone."""
    node = make_node(f"devices: {{{NIC}}}")
    path = node.sysfs / "bus/pci/devices" / ADDRESS
    before = path.stat().st_ino

    node.unplug(ADDRESS)
    card = DeviceSpec(address=Address.parse(ADDRESS), ids=Ids(0x8086, 0x10D3), subsystem=Ids(0, 0), class_code=0x020000)
    node.plug(card)

    assert path.stat().st_ino != before
    with pytest.raises(ValueError, match="is taken"):
        node.plug(card)


def test_what_is_not_there_cannot_be_pulled_or_held(make_node: MakeNode) -> None:
    node = make_node(f"devices: {{{NIC}}}")

    with pytest.raises(ValueError, match="there is nothing at"):
        node.unplug("0000:00:04.0")
    with pytest.raises(ValueError, match="there is no device at"):
        node.hold("0000:00:04.0")
    with pytest.raises(OSError, match="No such device") as caught:
        node.hold(ADDRESS)
    assert caught.value.errno == errno.ENODEV


def test_writes_outside_of_what_is_simulated_fail_loudly(make_node: MakeNode) -> None:
    """Neither refused nor ignored: the simulation says what it cannot do."""
    node = make_node(f"devices: {{{NIC}}}")

    with pytest.raises(NotSimulatedError):
        node.write(node.sysfs / f"bus/pci/devices/{ADDRESS}/numa_node", "1")
    with pytest.raises(ValueError, match="not in the subpath"):
        node.write(node.proc / "modules", "x")


def test_uevents_are_numbered_without_gaps(make_node: MakeNode) -> None:
    node = make_node(f"devices: {{{NIC}}}")
    numbers: list[int] = []
    unsubscribe = node.subscribe(lambda event: numbers.append(int(event["SEQNUM"])))

    node.unplug(ADDRESS)
    unsubscribe()
    node.load_module("vfio-pci")

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) == 5


def test_many_threads_may_bind_at_once(make_node: MakeNode) -> None:
    """The product writes from worker threads; each finds its own device bound."""
    entries = [f"0000:00:{slot:02x}.0: {{id: 8086:10d3, class: 0200, driver: e1000e}}" for slot in range(1, 13)]
    node = make_node(f"devices: {{{', '.join(entries)}}}")
    node.load_module("vfio-pci")
    bus = node.sysfs / "bus/pci"
    names = [entry.split(": ")[0] for entry in entries]

    def move(name: str) -> None:
        for driver in ("vfio-pci", "\n", "vfio-pci"):
            node.write(bus / f"devices/{name}/driver_override", driver)
            node.write(bus / f"devices/{name}/driver/unbind", name)
            node.write(bus / "drivers_probe", name)

    threads = [threading.Thread(target=move, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {(bus / f"devices/{name}/driver").readlink().name for name in names} == {"vfio-pci"}
    assert len(list((node.dev / "vfio").iterdir())) == len(names) + 1
