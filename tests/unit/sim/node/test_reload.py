"""A person edits the specification of a running node: that is plug and unplug."""

from __future__ import annotations

from pcidevices.sim.node import SimulatedNode, load_spec
from tests.unit.sim.node.conftest import MakeNode


NIC = "0000:00:03.0: {id: 8086:10d3, class: 0200, driver: e1000e, net: {name: eth0}}"
OTHER = "0000:00:04.0: {id: 8086:10d3, class: 0200, driver: e1000e, net: {name: eth1}}"
PORT = "0000:00:10.0: {id: 1b36:000c, class: 0604, bridge: {buses: %s}}"
CARD = "0000:02:00.0: {id: 10de:1c02, class: 0300, driver: nouveau}"
PF = "0000:00:05.0: {id: 8086:10c9, class: 0200, driver: igb, sriov: {total: 7, vfs: %d, id: 8086:10ca}}"


def devices(*entries: str) -> str:
    return f"devices: {{{', '.join(entries)}}}"


def heard(node: SimulatedNode) -> list[str]:
    """Uevents of PCI devices from now on."""
    events: list[str] = []
    node.subscribe(lambda event: events.append(f"{event['ACTION']} {event.get('PCI_SLOT_NAME')}"))
    return events


def of_pci(events: list[str]) -> list[str]:
    return [event for event in events if not event.endswith("None")]


def test_what_is_new_is_plugged_and_what_is_gone_is_unplugged(make_node: MakeNode) -> None:
    node = make_node(devices(NIC))
    events = heard(node)

    node.reload(load_spec(devices(OTHER)))

    assert of_pci(events) == ["unbind 0000:00:03.0", "remove 0000:00:03.0", "add 0000:00:04.0", "bind 0000:00:04.0"]


def test_what_stays_as_it_is_notices_nothing(make_node: MakeNode) -> None:
    node = make_node(devices(NIC, OTHER))
    events = heard(node)

    node.reload(load_spec(devices(NIC, OTHER)))

    assert events == []


def test_what_has_changed_is_another_device(make_node: MakeNode) -> None:
    node = make_node(devices(NIC))
    events = heard(node)

    node.reload(load_spec(devices(NIC.replace("10d3", "10d4"))))

    assert of_pci(events)[:3] == ["unbind 0000:00:03.0", "remove 0000:00:03.0", "add 0000:00:03.0"]
    assert (node.sysfs / "bus/pci/devices/0000:00:03.0/device").read_text() == "0x10d4\n"


def test_a_device_goes_and_comes_with_its_bridge(make_node: MakeNode) -> None:
    """A bridge with other buses is another bridge, and what is below it was plugged anew."""
    node = make_node(devices(PORT % "02", CARD))

    node.reload(load_spec(devices(PORT % "02-03", CARD)))

    assert (node.sysfs / "bus/pci/devices/0000:02:00.0").resolve().parent.name == "0000:00:10.0"


def test_another_number_of_virtual_functions_is_made(make_node: MakeNode) -> None:
    node = make_node(devices(PF % 1))

    node.reload(load_spec(devices(PF % 3)))

    assert (node.sysfs / "bus/pci/devices/0000:00:05.0/sriov_numvfs").read_text() == "3\n"
    assert (node.sysfs / "bus/pci/devices/0000:00:05.3").exists()


def test_a_driver_that_nobody_needed_before_is_loaded(make_node: MakeNode) -> None:
    node = make_node(devices(NIC))

    node.reload(load_spec(devices(NIC, CARD)))

    assert (node.sysfs / "bus/pci/drivers/nouveau/0000:02:00.0").exists()


def test_what_a_vm_holds_goes_when_it_is_released(make_node: MakeNode) -> None:
    """The reload comes back at once; what was to be plugged waits as long, as hot-plug does."""
    node = make_node(devices(NIC))
    bus = node.sysfs / "bus/pci"
    node.load_module("vfio-pci")
    node.write(bus / "devices/0000:00:03.0/driver_override", "vfio-pci")
    node.write(bus / "drivers/e1000e/unbind", "0000:00:03.0")
    node.write(bus / "drivers_probe", "0000:00:03.0")
    node.hold("0000:00:03.0")

    node.reload(load_spec(devices(OTHER)))
    meanwhile = sorted(entry.name for entry in (bus / "devices").iterdir())
    node.close()

    assert meanwhile == ["0000:00:03.0"]
    assert sorted(entry.name for entry in (bus / "devices").iterdir()) == ["0000:00:04.0"]
