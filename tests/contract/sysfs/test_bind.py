"""Binding, unbinding and giving back: one write each, and its answer."""

from __future__ import annotations

import errno

import pytest

from tests.contract.sysfs.world import Bus, refused, wait_for


NIC, TWIN, EDU, PORT, HOST_BRIDGE = "0000:00:03.0", "0000:00:04.0", "0000:00:0e.0", "0000:00:10.1", "0000:00:00.0"


def test_a_probe_binds_the_overridden_device_and_no_other(bus: Bus) -> None:
    """When the write returns the driver is there, and the node in /dev; the identical twin is not touched."""
    bus.override(NIC, "vfio-pci")
    bus.unbind(NIC)
    without = bus.driver(NIC)

    bus.probe(NIC)

    assert without is None
    assert bus.driver(NIC) == "vfio-pci"
    assert bus.has_node(bus.group(NIC))
    assert bus.driver(TWIN) == "e1000e"
    assert (bus.folder / "drivers/vfio-pci" / NIC).exists()
    assert [entry.name for entry in (bus.device(NIC) / "vfio-dev").iterdir()] == ["vfio0"]


def test_clear_unbind_probe_gives_a_device_back(bus: Bus) -> None:
    bus.to_vfio(NIC)

    bus.set(NIC, "driver_override", "\n")
    bus.unbind(NIC)
    bus.probe(NIC)

    assert bus.driver(NIC) == "e1000e"
    assert not bus.has_node(bus.group(NIC))
    assert not (bus.device(NIC) / "vfio-dev").exists()


def test_binding_is_announced_when_all_is_there(bus: Bus) -> None:
    """Unbind of the host driver; then the group, the device of VFIO and `bind`, in this order."""
    group = bus.group(NIC)
    with bus.recording() as recorder:
        bus.to_vfio(NIC)
        wait_for(lambda: recorder.has("bind", NIC))

    assert recorder.of("pci", "vfio", "vfio-dev") == [f"unbind {NIC}", f"add {group}", "add vfio0", f"bind {NIC}"]
    assert recorder.last("bind", NIC)["DRIVER"] == "vfio-pci"
    assert recorder.last("bind", NIC)["MODALIAS"].startswith("pci:v00008086d000010D3")


def test_giving_back_is_announced(bus: Bus) -> None:
    """`unbind` names neither driver nor modalias; a class is written without the zero that leads it."""
    bus.to_vfio(NIC)
    group = bus.group(NIC)
    with bus.recording() as recorder:
        bus.give_back(NIC, "e1000e")
        wait_for(lambda: recorder.has("bind", NIC))

    assert recorder.of("pci", "vfio", "vfio-dev") == ["remove vfio0", f"remove {group}", f"unbind {NIC}", f"bind {NIC}"]
    unbind = recorder.last("unbind", NIC)
    assert not {"DRIVER", "MODALIAS"} & unbind.keys()
    assert unbind["PCI_CLASS"] == "20000"
    assert unbind["PCI_ID"] == "8086:10D3"
    assert recorder.last("bind", NIC)["DRIVER"] == "e1000e"


def test_an_interface_comes_back_with_another_index(bus: Bus) -> None:
    """The kernel asks nobody whether the interface is in use."""

    def index() -> str:
        (interface,) = (bus.device(NIC) / "net").iterdir()
        return (interface / "ifindex").read_text()

    before = index()

    bus.to_vfio(NIC)
    without = (bus.device(NIC) / "net").exists()
    bus.give_back(NIC, "e1000e")

    assert not without
    assert index() != before


def test_the_uevent_file_names_the_driver(bus: Bus) -> None:
    before = bus.read(NIC, "uevent").splitlines()

    bus.unbind(NIC)

    assert before[0] == "DRIVER=e1000e"
    assert bus.read(NIC, "uevent").splitlines() == before[1:]


def test_enable_is_1_with_a_host_driver_and_0_with_an_idle_vfio(bus: Bus) -> None:
    before = bus.read(NIC, "enable")
    bus.to_vfio(NIC)

    assert before == "1"
    assert bus.read(NIC, "enable") == "0"


def test_a_probe_of_a_bound_device_does_nothing(bus: Bus) -> None:
    bus.override(NIC, "vfio-pci")

    bus.probe(NIC)

    assert bus.driver(NIC) == "e1000e"


def test_a_probe_without_a_matching_driver_succeeds_and_does_nothing(bus: Bus) -> None:
    bus.probe(EDU)

    assert bus.driver(EDU) is None


def test_a_probe_overlooks_one_newline(bus: Bus) -> None:
    bus.unbind(NIC)

    bus.probe(f"{NIC}\n")

    assert bus.driver(NIC) == "e1000e"


@pytest.mark.parametrize("name", ["0000:00:1e.7", f"{NIC} ", f"{NIC}\n\n", "00:03.0", "0000:00:0E.0"])
def test_a_probe_knows_a_device_by_its_exact_name_alone(bus: Bus, name: str) -> None:
    with refused(errno.ENODEV):
        bus.probe(name)


def test_a_bind_needs_an_override_or_an_id(bus: Bus) -> None:
    bus.unbind(NIC)

    with refused(errno.ENODEV):
        bus.bind(NIC, "vfio-pci")


def test_a_bind_of_a_bound_device_is_busy(bus: Bus) -> None:
    """Whether it is bound to that driver or to another."""
    bus.override(NIC, "vfio-pci")
    with refused(errno.EBUSY):
        bus.bind(NIC, "vfio-pci")

    bus.to_vfio(NIC)
    with refused(errno.EBUSY):
        bus.bind(NIC, "vfio-pci")


def test_a_host_driver_is_refused_while_the_override_names_another(bus: Bus) -> None:
    bus.override(NIC, "vfio-pci")
    bus.unbind(NIC)

    with refused(errno.ENODEV):
        bus.bind(NIC, "e1000e")


def test_the_driver_that_the_override_names_can_be_bound(bus: Bus) -> None:
    bus.override(EDU, "vfio-pci")

    bus.bind(EDU, "vfio-pci")

    assert bus.driver(EDU) == "vfio-pci"


@pytest.mark.parametrize("address", [NIC, "0000:00:1e.7"])
def test_a_driver_unbinds_only_what_it_has(bus: Bus, address: str) -> None:
    with refused(errno.ENODEV):
        bus.to_driver("vfio-pci", "unbind", address)


def test_there_is_no_unbind_below_a_device_without_driver(bus: Bus) -> None:
    with refused(errno.ENOENT):
        bus.unbind(EDU)


def test_a_port_is_unbound_and_then_refused_by_vfio(bus: Bus) -> None:
    """`bind` says why; a probe says ok. The port has lost its driver either way."""
    bus.override(PORT, "vfio-pci")
    bus.unbind(PORT)

    with refused(errno.EINVAL):
        bus.bind(PORT, "vfio-pci")
    bus.probe(PORT)

    assert bus.driver(PORT) is None


def test_nobody_keeps_a_host_bridge_from_vfio(bus: Bus) -> None:
    """The kernel refuses bridges by the type of their header, which is that of a plain device here."""
    bus.to_vfio(HOST_BRIDGE)

    assert bus.driver(HOST_BRIDGE) == "vfio-pci"


def test_a_read_only_attribute_cannot_be_opened_for_writing(bus: Bus) -> None:
    with refused(errno.EACCES):
        bus.set(NIC, "vendor", "1")
    with refused(errno.ENOENT):
        bus.set(NIC, "no_such_attribute", "1")


@pytest.mark.parametrize("attribute", ["remove", "reset"])
def test_a_switch_takes_a_number(bus: Bus, attribute: str) -> None:
    with refused(errno.EINVAL):
        bus.set(NIC, attribute, "x")


def test_zero_removes_nothing(bus: Bus) -> None:
    bus.set(NIC, "remove", "0")

    assert bus.is_present(NIC)
